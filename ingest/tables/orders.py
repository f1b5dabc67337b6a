"""raw.orders: the latest known state of each order, by the broker's own clock."""

from __future__ import annotations

from dataclasses import fields, replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import OrderState
from ingest.outcome import Located, Outcome
from ingest.recording import Entry
from ingest.staging import as_json, insert_rows
from ingest.values import EARLIEST

COLUMNS = [field.name for field in fields(OrderState) if field.name != "legs"]
LINKS = ("account_name", "order_id", "parent_order_id", "commission", "legs")


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store what is newer than what is known; an older state only fills gaps."""
    if not located:
        return
    newest: dict[tuple[str, str], tuple[OrderState, Entry]] = {}
    for entry, order in _oldest_state_first(located):
        key = (order.account_name, order.order_id)
        known = newest.get(key)
        newest[key] = (_inherit(order, known[0]) if known else order, entry)
    written = insert_rows(
        cursor,
        "insert_orders",
        [*COLUMNS, "legs", "received_at", "line"],
        (
            (*(getattr(order, name) for name in COLUMNS), as_json(order.legs),
             entry.received_at, entry.line)
            for order, entry in newest.values()
        ),
    )  # fmt: skip
    outcome.count("order", len(newest), written)
    insert_rows(
        cursor,
        "link_orders",
        LINKS,
        (
            (o.account_name, o.order_id, o.parent_order_id, o.commission,
             as_json(o.legs))
            for o, _ in newest.values()
            if o.parent_order_id or o.legs or o.commission is not None
        ),
    )  # fmt: skip


def _oldest_state_first(located: list[Located]) -> list[Located]:
    """In the order of states, the same as in writer/insert_orders.sql.

    Of copies that the broker dates alike the first received counts as the newest, so
    that it stays, wherever a batch ends and however often the others come again.
    """
    last_received_first = sorted(
        located, key=lambda pair: pair[0].received_at or EARLIEST, reverse=True
    )
    return sorted(
        last_received_first,
        key=lambda pair: (
            pair[1].updated_at,
            pair[1].filled_qty or 0,
            pair[1].status or "",
        ),
    )


def _inherit(order: OrderState, older: OrderState) -> OrderState:
    """What a newer state may leave out stays as an older one said it."""
    return replace(
        order,
        parent_order_id=older.parent_order_id or order.parent_order_id,
        legs=order.legs or older.legs,
        commission=older.commission if order.commission is None else order.commission,
    )
