"""The models' positions beside the reference's, lane by lane."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.support import dbt, reference
from tests.support.lanes import Lane
from tests.support.postgres import Database, Server, replay

Rows = dict[tuple[str, str], list[dict[str, Any]]]

#: What two values stored with nine decimals may differ by.
STEP = Decimal("0.000000001")

MARTS = "+position_history +active_positions"

CLOSED = """
    select
        account_name, coalesce(option_symbol, ticker) as symbol, execution_id::text,
        side, multiplier, quantity, entry_price, exit_price, entry_time, exit_time,
        pnl_dollars, best_unrealized_pnl_dollars, best_unrealized_at,
        worst_unrealized_pnl_dollars, worst_unrealized_at, mark_count,
        max_give_back_dollars, max_mark_gap_seconds, is_dust_closed, peak_quantity,
        entry_fill_count, exit_fill_count
    from analytics.position_history
    order by entry_time, exit_time, execution_id
"""

OPEN = """
    select
        account_name, coalesce(option_symbol, ticker) as symbol, side, multiplier,
        quantity, entry_price, entry_time, best_unrealized_pnl_dollars,
        worst_unrealized_pnl_dollars, last_mark_price, last_mark_at,
        unrealized_pnl_dollars, status
    from analytics.active_positions
"""


def built(database: Database) -> tuple[Rows, Rows]:
    """Closed and open positions in the database, by (account, symbol)."""
    return _rows(database, CLOSED), _rows(database, OPEN)


def expected(lines: Iterable[str]) -> tuple[Rows, Rows]:
    """The same by the reference."""
    closed: Rows = defaultdict(list)
    still_open: Rows = defaultdict(list)
    for position in reference.positions(lines):
        if position.exit_time is None:
            still_open[position.account, position.symbol].append(_open_row(position))
        else:
            closed[position.account, position.symbol].append(_closed_row(position))
    for rows in closed.values():
        rows.sort(key=_place)
    return closed, still_open


def mismatches(database: Database, lanes: Iterable[Lane]) -> dict[int, list[str]]:
    """By lane number, what the models say otherwise than the reference."""
    return differences(database, lanes, expected(_lines(lanes)))


def differences(
    database: Database, lanes: Iterable[Lane], want: tuple[Rows, Rows]
) -> dict[int, list[str]]:
    """By lane number, where the database holds other rows than these."""
    found: dict[int, list[str]] = {}
    got = built(database)
    for lane in lanes:
        told: list[str] = []
        for what, have, need in zip(("closed", "open"), got, want, strict=True):
            told += compare(what, have.get(lane.key, []), need.get(lane.key, []))
        if told:
            found[lane.number] = told
    return found


def compare(
    what: str, have: list[dict[str, Any]], need: list[dict[str, Any]]
) -> list[str]:
    """What differs between two lists of rows; only columns that both have."""
    if len(have) != len(need):
        return [f"{len(have)} {what} positions, the reference has {len(need)}"]
    return [
        f"{what} position {n}: {column} = {_shown(row[column])}, the reference says"
        f" {_shown(value)}"
        for n, (row, wanted) in enumerate(zip(have, need, strict=True), start=1)
        for column, value in wanted.items()
        if column in row and not _same(row[column], value)
    ]


def smallest_failing(server: Server, lane: Lane, folder: Path) -> tuple[Lane, str]:
    """The lane with every fact left out that the failure does not need.

    All candidates of a round share one database, so that a round is one build.
    """
    told = ""
    while True:
        candidates = [
            replace(shorter, number=n, symbol_number=None)
            for n, shorter in enumerate((lane, *_shorter(lane)))
        ]
        with server.created() as database:
            replay(database, _lines(candidates), folder)
            dbt.build(database, MARTS, data_tests=False)
            failing = mismatches(database, candidates)
        if 0 not in failing:
            return lane, f"{told} (not on its own: together with other lanes only)"
        told = "\n".join(failing.pop(0))
        if not failing:
            return lane, told
        lane = min((candidates[n] for n in failing), key=_size)


def report(lane: Lane, told: Iterable[str]) -> str:
    """What went wrong in a lane, with a recording to replay."""
    return "\n".join([*told, "as a recording:", *lane.lines()])


def _shorter(lane: Lane) -> Iterable[Lane]:
    for execution in lane.executions:
        gone = {execution.number}
        for other in lane.executions:  # an amendment has a greater number
            if other.names in gone:
                gone.add(other.number)
        kept = tuple(e for e in lane.executions if e.number not in gone)
        if kept:
            yield replace(lane, executions=kept)
    for observation in lane.observations:
        kept_marks = tuple(o for o in lane.observations if o is not observation)
        yield replace(lane, observations=kept_marks)
    for day in {row.day for row in lane.rows}:
        yield replace(lane, rows=tuple(row for row in lane.rows if row.day != day))


def _size(lane: Lane) -> int:
    return len(lane.executions) + len(lane.observations) + len(lane.rows)


def _lines(lanes: Iterable[Lane]) -> list[str]:
    return [line for lane in lanes for line in lane.lines()]


def _rows(database: Database, sql: str) -> Rows:
    rows: Rows = defaultdict(list)
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column.name for column in cursor.description or ()]
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                rows[row["account_name"], row["symbol"]].append(row)
    finally:
        connection.close()
    for found in rows.values():
        found.sort(key=_place)
    return rows


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["entry_time"], row.get("exit_time"), row.get("execution_id") or ""


def _closed_row(p: reference.Position) -> dict[str, Any]:
    best, best_at = p.extreme(1)
    worst, worst_at = p.extreme(-1)
    return {
        "execution_id": p.execution_id,
        "side": p.side,
        "multiplier": p.multiplier,
        "quantity": p.entry_quantity,
        "entry_price": p.entry_price,
        "exit_price": p.exit_price,
        "entry_time": p.entry_time,
        "exit_time": p.exit_time,
        "pnl_dollars": p.pnl,
        "best_unrealized_pnl_dollars": best,
        "best_unrealized_at": best_at,
        "worst_unrealized_pnl_dollars": worst,
        "worst_unrealized_at": worst_at,
        "mark_count": len(p.marked_at),
        "max_give_back_dollars": p.max_give_back,
        "max_mark_gap_seconds": p.max_mark_gap_seconds,
        "is_dust_closed": p.is_dust_closed,
        "peak_quantity": p.peak_quantity,
        "entry_fill_count": p.entry_fill_count,
        "exit_fill_count": p.exit_fill_count,
    }


def _open_row(p: reference.Position) -> dict[str, Any]:
    at, price = p.last_mark or (None, None)
    return {
        "side": p.side,
        "multiplier": p.multiplier,
        "quantity": abs(p.open),
        "entry_price": p.entry_price,
        "entry_time": p.entry_time,
        "best_unrealized_pnl_dollars": p.extreme(1)[0],
        "worst_unrealized_pnl_dollars": p.extreme(-1)[0],
        "last_mark_price": price,
        "last_mark_at": at,
        "unrealized_pnl_dollars": p.worth_now,
        "status": "reducing" if p.exit_fill_count else "open",
    }


def _same(have: Any, need: Any) -> bool:
    if isinstance(have, bool) or not isinstance(have, int | Decimal):
        return bool(have == need)
    if need is None:
        return False
    return abs(Fraction(have) - Fraction(need)) <= STEP


def _shown(value: Any) -> str:
    return str(float(value)) if isinstance(value, Fraction) else str(value)
