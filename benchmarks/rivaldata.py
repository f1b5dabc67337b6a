"""What the rivals work on, read from the database that the project's SQL works on.

Their tables are loaded before the clock starts, and in the form that suits them best:
numbers where the project has text or uuid, whole 1/10,000 dollars where it has numeric.
The plans' quantities are whole; loading fails where that is not so.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.server import BenchmarkError
from ingest.packing import Row, row_of, unpacked

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]

MARK_ROW = row_of(symbol_id="i4", ts="i8", price="f8")
LEG_ROW = row_of(
    position="i4",
    leg_number="i4",
    symbol_id="i4",
    multiplier="i4",
    quantity="i8",
    cash="i8",
    price="i8",
    starts="i8",
    ends="i8",
)
EXCURSION_ROW = row_of(position="i4", mfe="i8", mfe_at="i8", mae="i8", mae_at="i8")

#: Closed positions by number, in the order of their ids: the key of all that follows.
NUMBERED = """
    create temp table numbered as
    select position_id, (row_number() over (order by position_id))::integer as position
    from analytics_intermediate.int_legs__built
    where not is_open_position
    group by position_id
"""

LEGS = """
    select
        numbered.position, legs.leg_number::integer, legs.symbol_id,
        legs.multiplier::integer, legs.quantity_after::bigint as quantity,
        (legs.cash_after * 10000)::bigint as cash,
        (legs.price * 10000)::bigint as price,
        legs.leg_started_at as starts, legs.leg_ended_at as ends
    from analytics_intermediate.int_legs__built as legs
    inner join numbered using (position_id)
    order by legs.symbol_id, legs.leg_started_at
"""

INEXACT = """
    select count(*) from analytics_intermediate.int_legs__built
    where
        quantity_after <> trunc(quantity_after)
        or cash_after * 10000 <> trunc(cash_after * 10000)
        or price * 10000 <> trunc(price * 10000)
        or moves <> 'trade'
"""

EXCURSIONS = """
    select
        numbered.position,
        (found.best_unrealized_pnl_dollars * 10000)::bigint as mfe,
        found.best_unrealized_at as mfe_at,
        (found.worst_unrealized_pnl_dollars * 10000)::bigint as mae,
        found.worst_unrealized_at as mae_at
    from {relation} as found
    inner join numbered using (position_id)
    order by numbered.position
"""


def columns_of(connection: Connection, query: str, row: Row) -> Columns:
    """The result of a query without nulls; instants are datetime64."""
    copied = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"copy ({query}) to stdout (format binary)", copied)
    found = unpacked(copied.getvalue(), row)
    return {name: _instant(name, column) for name, column in found.items()}


def number_positions(connection: Connection) -> None:
    """Make ``numbered``, for the session; check that the rivals' integers are exact."""
    with connection, connection.cursor() as cursor:
        cursor.execute(INEXACT)
        if cursor.fetchone() != (0,):
            raise BenchmarkError("the plan has legs that whole numbers cannot state")
        cursor.execute("drop table if exists numbered")
        cursor.execute(NUMBERED)
        cursor.execute("analyze numbered")


def legs(connection: Connection) -> Columns:
    """The legs of closed positions, by symbol and time."""
    return columns_of(connection, LEGS, LEG_ROW)


def excursions(connection: Connection, relation: str) -> Columns:
    """What the project found, by position."""
    return columns_of(connection, EXCURSIONS.format(relation=relation), EXCURSION_ROW)


def marks_by_partition(connection: Connection) -> Iterator[Columns]:
    """The usable marks, a day at a time, as they are stored."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'raw.marks'::regclass order by 1"
        )
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        query = f"select symbol_id, ts, price from {name} where price > 0"  # noqa: S608
        yield columns_of(connection, query, MARK_ROW)


def _instant(name: str, column: Array) -> Array:
    """PostgreSQL counts microseconds from 2000."""
    if name in ("ts", "starts", "ends") or name.endswith("_at"):
        return np.datetime64("2000-01-01", "us") + column
    return column
