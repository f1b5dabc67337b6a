"""That something was measured: counts, and a count of positions made another way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.server import BenchmarkError


@dataclass(frozen=True)
class Counts:
    """Rows in the database after a build."""

    fills: int
    marks: int
    positions: int
    marks_in_positions: int
    statistics: int


def counted(connection: Connection, least_marks: int, least_positions: int) -> Counts:
    """The counts, once they are known to be right.

    Raises BenchmarkError where there are fewer rows than the size promises, where a
    position lacks its extremes, or where a plain walk over the fills counts another
    number of closed positions.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from raw.fills), (select count(*) from raw.marks),"
            " count(*), coalesce(sum(mark_count), 0)::bigint,"
            " (select count(*) from analytics.strategy_stats),"
            " count(*) filter (where best_unrealized_at is null)"
            " from analytics.position_history"
        )
        row = cursor.fetchone()
        assert row is not None
        *numbers, incomplete = row
        counts = Counts(*numbers)
        walked = _closed_positions(connection)
    if counts.marks < least_marks or counts.positions < least_positions:
        raise BenchmarkError(f"too little was measured: {counts}")
    if counts.positions != walked:
        raise BenchmarkError(
            f"{counts.positions} closed positions, and {walked} by a walk over fills"
        )
    if incomplete or not counts.marks_in_positions or not counts.statistics:
        raise BenchmarkError(f"positions or statistics are incomplete: {counts}")
    return counts


def _closed_positions(connection: Connection) -> int:
    """How often the quantity of an (account, symbol) returns to zero or crosses it.

    Fills within an order go by cumulative quantity, between orders by time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select account_name, symbol, order_id, cum_qty, event_id, executed_at,"
            " case side when 'buy' then qty else -qty end"
            " from raw.fills where kind = 'fill' order by account_name, order_id,"
            " cum_qty, event_id"
        )
        rows = cursor.fetchall()
    lanes = defaultdict(list)
    for _, order in groupby(rows, key=itemgetter(0, 2)):
        latest = None
        for account, symbol, order_id, cum_qty, event_id, executed_at, signed in order:
            latest = executed_at if latest is None else max(latest, executed_at)
            key = (latest, order_id, cum_qty, event_id)
            lanes[account, symbol].append((key, signed))
    closed = 0
    for fills in lanes.values():
        held = Decimal(0)
        for _, signed in sorted(fills):
            after = held + signed
            closed += held != 0 and (after == 0 or (after > 0) != (held > 0))
            held = after
    return closed
