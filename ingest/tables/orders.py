"""raw.orders: the latest known state of each order, by the broker's own clock."""

from __future__ import annotations

from dataclasses import fields, replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import OrderState
from ingest.outcome import Located, Outcome
from ingest.recording import Entry
from ingest.sql import statement
from ingest.staging import copy_rows, values_of
from ingest.values import EARLIEST

COLUMNS = [field.name for field in fields(OrderState)]


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store what is newer than what is known; an older state only fills gaps."""
    if not located:
        return
    newest: dict[tuple[str, str], tuple[OrderState, Entry]] = {}
    for entry, order in _oldest_state_first(located):
        key = (order.account_name, order.order_id)
        known = newest.get(key)
        newest[key] = (_inherit(order, known[0]) if known else order, entry)
    copy_rows(
        cursor,
        "stage_orders",
        [*COLUMNS, "received_at", "line"],
        ((*values_of(o), e.received_at, e.line) for o, e in newest.values()),
    )
    cursor.execute(statement("writer/insert_orders"))
    outcome.count("order", len(newest), cursor.rowcount)
    cursor.execute(statement("writer/link_orders"))


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
