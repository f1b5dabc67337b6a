"""Facts of a plan straight into the raw tables, for what is not a measure of replay.

Marks are packed as columns and copied day by day; all else goes through the project's
parser and writer. The stored rows are those of a replay (tests/ingest/test_bulk.py).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from benchmarks.server import BenchmarkError
from ingest.batch import EPOCH
from ingest.generator import Plan
from ingest.generator.bulk import DayOfMarks, events_by_day, marks_by_day
from ingest.packing import copy_packed, packed
from ingest.recording import parse_line
from ingest.replay import BATCH_LINES
from ingest.tables.instruments import Instruments
from ingest.tables.marks import COLUMNS, QUOTE_ROW, TRADE_ROW, Days
from ingest.writer import Writer

Columns = dict[str, np.ndarray[Any, Any]]

HOUR = 3_600 * 1_000_000
MOST_HOURS = 1 << 24
#: Microseconds from 1970, where the generator counts from, to 2000, as COPY does.
TO_2000 = 946_684_800 * 1_000_000
SMALL_TABLES = (
    "fills", "orders", "instruments", "alpaca_event_dedupe", "account_activities",
    "dispatch_executions", "dispatch_recommendations",
)  # fmt: skip

#: Some of the pages that COPY adds ahead stay empty, and no map shows them as visible.
#: By the size of the file: a table that was never vacuumed has no pages in the catalog.
HIDDEN = """
    select oid::regclass::text from pg_class
    where relispartition and relkind = 'r' and relnamespace = 'raw'::regnamespace
    and relname like 'marks_%'
    and relallvisible < 0.9 * pg_relation_size(oid) / current_setting('block_size')::int
"""


@dataclass(frozen=True)
class Day:
    """A plan's day: its marks, and the lines of all other channels."""

    marks: DayOfMarks
    lines: list[bytes]


def days_of(plan: Plan) -> Iterator[Day]:
    """The days of a plan, without what the last one leaves to be told afterwards."""
    for marks, lines in zip(marks_by_day(plan), events_by_day(plan), strict=False):
        yield Day(marks, lines)


class Loader:
    """Loads days of a plan through one connection."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._connection = connection
        self._writer = Writer(connection)
        self._ids = store_instruments(connection, plan)

    def load(self, days: Iterable[Day], *, fresh: bool = False) -> tuple[int, int]:
        """Load days and settle; returns how many marks and lines they had.

        ``fresh``: as a day lies there that was recorded just now, not yet tidied up.
        """
        marks = lines = 0
        for day in days:
            store_marks(self._connection, day.marks, self._ids, fresh=fresh)
            store_events(self._writer, day.lines)
            marks += len(day.marks.instant)
            lines += len(day.lines)
            _vacuum(self._connection, f"marks_{day.marks.day:%Y%m%d}")
        _vacuum(self._connection, *SMALL_TABLES)
        _report_work(self._connection)
        return marks, lines


def load_plan(url: str, plan: Plan) -> None:
    """Load all of a plan, in three processes at once."""
    connection = psycopg2.connect(url)
    store_instruments(connection, plan)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        tasks = [pool.submit(_load_marks, url, plan, share, 2) for share in (0, 1)]
        tasks.append(pool.submit(_load_events, url, plan))
        for task in tasks:
            task.result()
    # Not day by day before: what another process was writing would have kept pages from
    # being marked as visible, and index-only scans would read the table too.
    _vacuum(connection, "marks", *SMALL_TABLES)
    _require_visible(connection)
    connection.close()


def store_instruments(connection: Connection, plan: Plan) -> list[int]:
    """The ids of the plan's instruments, in their order."""
    known = Instruments()
    with connection, connection.cursor() as cursor:
        for instrument in plan.instruments:
            hint = "crypto" if instrument.asset_class == "crypto" else None
            known.ensure(cursor, {(instrument.symbol, hint)})
    return [known.ids[instrument.symbol] for instrument in plan.instruments]


def store_marks(
    connection: Connection, day: DayOfMarks, ids: list[int], *, fresh: bool
) -> None:
    """One day of marks into its partition.

    ``fresh``: in batches by time, as a replay leaves it. Else symbol by symbol, which
    fills its index as one that was built once the day was over.
    """
    name = f"raw.marks_{day.day:%Y%m%d}"
    instant = day.instant - TO_2000
    columns = {
        "ts": instant,
        "price": day.price,
        "bid": day.bid,
        "ask": day.ask,
        "symbol_id": np.array(ids)[day.symbol],
        "is_usable": day.price > 0,
    }
    with connection.cursor() as cursor:
        Days().ensure(cursor, day.day)
        for batch in _batches(columns) if fresh else (columns,):
            if fresh:
                # A table of the same transaction would be filled in another way.
                connection.commit()
            copy_packed(cursor, name, COLUMNS, [_packed(batch)])
        _note(cursor, columns)
    connection.commit()


def _batches(columns: Columns) -> Iterator[Columns]:
    """The marks in the writer's batches: by time, each sorted by symbol and time."""
    by_time = np.argsort(columns["ts"], kind="stable")
    for start in range(0, len(by_time), BATCH_LINES):
        chosen = np.sort(by_time[start : start + BATCH_LINES])
        yield {name: column[chosen] for name, column in columns.items()}


def _packed(columns: Columns) -> bytes:
    """Rows for COPY, quotes and trades mixed as they come."""
    is_trade = np.isnan(columns["bid"])
    rows = np.zeros((len(is_trade), QUOTE_ROW.itemsize), np.uint8)
    sent = np.ones(rows.shape, bool)
    for chosen, row in ((~is_trade, QUOTE_ROW), (is_trade, TRADE_ROW)):
        names = [name for name in COLUMNS if name in (row.names or ())]
        picked = {name: columns[name][chosen] for name in names}
        shaped = np.frombuffer(packed(picked, row), np.uint8).reshape(-1, row.itemsize)
        rows[chosen, : row.itemsize] = shaped
        sent[chosen, row.itemsize :] = False
    return rows[sent].tobytes()


def _note(cursor: Cursor, columns: Columns) -> None:
    """Tell the models which hours of which symbols are new, as the writer does."""
    keys = np.unique(columns["symbol_id"] * MOST_HOURS + columns["ts"] // HOUR)
    execute_values(
        cursor,
        "insert into raw.changed_marks (symbol_id, hour_at) values %s"
        " on conflict do nothing",
        [
            (symbol_id, EPOCH + timedelta(hours=hour))
            for symbol_id, hour in (divmod(key, MOST_HOURS) for key in keys.tolist())
        ],
        page_size=5_000,
    )


def store_events(writer: Writer, lines: list[bytes]) -> None:
    """Parse and write lines of a recording; none of them may be set aside."""
    for start in range(0, len(lines), BATCH_LINES):
        entries = [parse_line(line) for line in lines[start : start + BATCH_LINES]]
        if writer.write(entries)["message", "quarantined"]:
            raise BenchmarkError("a line of the plan was quarantined")


def _vacuum(connection: Connection, *tables: str) -> None:
    """As autovacuum does in time: index-only scans work, and the planner knows."""
    connection.commit()
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name in tables:
            cursor.execute(f"vacuum (analyze) raw.{name}")
    connection.autocommit = False


def _report_work(connection: Connection) -> None:
    """What this session did counts now: it would in ten seconds, as work of a night."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select pg_stat_force_next_flush()")


def _require_visible(connection: Connection) -> None:
    """Closed days lie with all their rows known to be visible."""
    with connection, connection.cursor() as cursor:
        cursor.execute(HIDDEN)
        hidden = cursor.fetchall()
    if hidden:
        raise BenchmarkError(f"marks could not be vacuumed: {hidden[0][0]}")


def _load_marks(url: str, plan: Plan, share: int, shares: int) -> None:
    connection = psycopg2.connect(url)
    ids = store_instruments(connection, plan)
    for day in marks_by_day(plan, share, shares):
        store_marks(connection, day, ids, fresh=False)
    connection.close()


def _load_events(url: str, plan: Plan) -> None:
    connection = psycopg2.connect(url)
    writer = Writer(connection)
    waiting: list[bytes] = []
    for lines in events_by_day(plan):
        waiting += lines
        if len(waiting) >= BATCH_LINES:
            store_events(writer, waiting)
            waiting = []
    store_events(writer, waiting)
    connection.close()
