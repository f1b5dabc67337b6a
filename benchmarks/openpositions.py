"""active_positions with a thousand open positions, all marks of a size behind them."""

from __future__ import annotations

import time
from statistics import median

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.figures import Figure
from benchmarks.loading import store_events
from benchmarks.models import run_dbt
from benchmarks.server import BenchmarkError, Server
from benchmarks.stats import LOOKBACK_DAYS
from ingest.generator import Plan
from ingest.generator.broker import Broker, Recorder
from ingest.generator.plans import Mix
from ingest.generator.sessions import SESSION, session_open
from ingest.generator.text import CENT, NANO
from ingest.writer import Writer

OPEN = 1_000
ROUNDS = 7


def compare(
    server: Server, database: str, connection: Connection, plan: Plan
) -> list[Figure]:
    """Milliseconds of reading the view: positions just opened, and after a night."""
    before = len(_read(connection)[1])
    store_events(Writer(connection), _opened(plan))
    pending = _timed(connection, before + OPEN)
    run_dbt(server, database, "run", lookback_days=LOOKBACK_DAYS)
    built = _timed(connection, before + OPEN)
    what = f"`active_positions`, {before + OPEN:,} open"
    return [
        Figure(f"{what}, after a night", f"{built * 1000:.0f} ms", ""),
        Figure(f"{what}, {OPEN:,} since the last one", f"{pending * 1000:.0f} ms", ""),
    ]


def _opened(plan: Plan) -> list[bytes]:
    """Fills that open positions in accounts of their own, over the last five days."""
    recorder = Recorder()
    # Another seed, because the plan's orders have the ids of its own.
    broker = Broker(plan.seed + 1_000_000, Mix(), recorder)
    opens = [session_open(day) for day in plan.days[-5:]]
    count = len(plan.instruments)
    for number in range(OPEN):
        account, instrument = f"open{number // count}", plan.instruments[number % count]
        at = opens[number % len(opens)] + SESSION * number // OPEN
        order = broker.draft(account, instrument, "buy", 10 * NANO, at)
        price = (instrument.cents or 500) * CENT
        broker.fill(order, [(at + 30_000, price, 10 * NANO)])
    return [line for _, line in recorder.take()]


def _timed(connection: Connection, rows: int) -> float:
    seconds = []
    for _ in range(ROUNDS):
        took, found = _read(connection)
        seconds.append(took)
        if len(found) != rows:
            raise BenchmarkError(f"{len(found)} positions are open, and not {rows}")
        if not all(marks for *_, marks in found):
            raise BenchmarkError("an open position has no mark")
    return median(seconds)


def _read(connection: Connection) -> tuple[float, list[tuple[object, ...]]]:
    """Seconds until all rows are here; of each row the instant of its last mark."""
    with connection, connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute("select *, last_mark_at from analytics.active_positions")
        found = cursor.fetchall()
        return time.perf_counter() - started, found
