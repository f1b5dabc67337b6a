"""raw.orders: the latest known state of each order, by the broker's own clock."""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import OrderState
from ingest.outcome import Located, Outcome
from ingest.recording import Entry
from ingest.sql import statement
from ingest.staging import copy_rows

COLUMNS = [field.name for field in fields(OrderState)]


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store what is newer than what is known; an older state only fills gaps."""
    if not located:
        return
    newest: dict[tuple[str, str], tuple[OrderState, Entry]] = {}
    for entry, order in sorted(located, key=_freshness):
        key = (order.account_name, order.order_id)
        known = newest.get(key)
        newest[key] = (_inherit(order, known[0]) if known else order, entry)
    copy_rows(
        cursor,
        "stage_orders",
        [*COLUMNS, "received_at", "line"],
        ((*astuple(o), e.received_at, e.line) for o, e in newest.values()),
    )
    cursor.execute(statement("writer/insert_orders"))
    outcome.count("order", len(newest), cursor.rowcount)
    cursor.execute(statement("writer/link_orders"))


def _freshness(located: Located) -> tuple[Any, ...]:
    """The order of states, the same as in writer/insert_orders.sql.

    Of copies that the broker dates alike the last received is kept, wherever a batch
    ends: a parent's carries its legs, which change without it.
    """
    entry, order = located
    return (
        order.updated_at,
        order.filled_qty or 0,
        order.status or "",
        entry.received_at,
    )


def _inherit(order: OrderState, older: OrderState) -> OrderState:
    """What a newer state may leave out stays as an older one said it."""
    return replace(
        order,
        parent_order_id=older.parent_order_id or order.parent_order_id,
        legs=order.legs or older.legs,
        commission=older.commission if order.commission is None else order.commission,
    )
