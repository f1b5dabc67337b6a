"""Killed at every step, again and again, the daemon ends with every fact once."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from ingest.facts import Fill, Mark, TradeEvent
from ingest.recording import parse_line
from standin import Alpaca, running
from tests.support.ingester import Zygote, eventually, ingesting
from tests.support.kill_plan import VARIABLE
from tests.support.postgres import Database

KILLS = 200
#: At least.
EVENTS = 5_000
SEED = 20261120
#: Broker minutes pass in seconds, so that a catch-up's window is not the whole burst.
BEGIN, SPEED = datetime(2026, 11, 20, 15, tzinfo=UTC), 20.0
#: How often a step is reached before it kills, at most.
COUNTS = {
    "received": 30, "received_marks": 5, "appended": 60, "torn": 4, "written": 4,
    "fsynced": 4, "read": 4, "marks_inserted": 3, "inserted": 3, "committed": 3,
    "cursor_written": 3, "cursor_saved": 3, "row_caught_up": 60, "caught_up": 1,
    "progress_written": 1, "progress_saved": 1,
}  # fmt: skip
#: A step that is not reached by then is given up, and the daemon killed as it stands.
PATIENCE = 10
SYMBOLS = ("SPY", "AAPL", "F")


class Burst(threading.Thread):
    """Orders that fill in parts, are canceled, are filled, and quotes between them."""

    def __init__(self, alpaca: Alpaca) -> None:
        super().__init__(name="burst", daemon=True)
        self._alpaca = alpaca
        self._random = random.Random(SEED)
        #: How many events may have happened by now.
        self.allowed = 0
        #: Whether nothing more will be allowed.
        self.is_ending = False
        self.events = 0
        #: By execution id: order id, cumulative quantity, quantity, price.
        self.executions: dict[str, tuple[str, str, str, str]] = {}
        #: Its status and filled quantity by order.
        self.orders: dict[str, tuple[str, str]] = {}
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            number = 0
            while not (self.is_ending and self.events >= self.allowed):
                if self.events >= self.allowed:
                    time.sleep(0.01)
                    continue
                self._order(number)
                number += 1
        except Exception as error:
            self.error = error

    def _order(self, number: int) -> None:
        symbol = SYMBOLS[number % len(SYMBOLS)]
        parts = self._random.choice([1, 2, 3, 3, 4])
        is_canceled = self._random.random() < 0.2
        order_id = f"{number:08x}-0000-4000-8000-000000000000"
        self.events += 2
        for part in range(parts):
            frame = self._alpaca.execute(
                "main",
                symbol,
                "buy" if number % 7 else "sell",
                part + 1,
                f"{100 + number % 50}.{part}5",
                order_id=order_id,
                order_qty=100,
                final=part == parts - 1 and not is_canceled,
            )
            data = frame["data"]
            order = data["order"]
            self.executions[data["execution_id"]] = (
                order_id, order["filled_qty"], data["qty"], data["price"],
            )  # fmt: skip
            self.orders[order_id] = (order["status"], order["filled_qty"])
            self.events += 1
        if is_canceled:
            # Its last execution was a moment ago.
            filled_at = datetime.fromisoformat(order["updated_at"])
            moment = (filled_at + timedelta(milliseconds=1)).isoformat()
            order = {
                **order, "status": "canceled", "canceled_at": moment,
                "updated_at": moment,
            }  # fmt: skip
            canceled = {"event": "canceled", "timestamp": moment}
            self._alpaca.push(
                "main",
                {"stream": "trade_updates", "data": {**canceled, "order": order}},
            )
            self.orders[order_id] = ("canceled", order["filled_qty"])
            self.events += 1
        bid = 100 + self._random.random()
        self._alpaca.market(
            "iex", [{"T": "q", "S": symbol, "bp": bid, "ap": bid + 0.1}]
        )


class SpoolReader:
    """The marks and events that were in the spool when a daemon died."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        self._folder = folder
        self._files = files
        #: By inode. Held open, because a full segment is deleted by the life after.
        self._segments: dict[int, BinaryIO] = {}
        self.marks: set[tuple[str, datetime, float]] = set()
        self.events: set[str] = set()

    def look(self) -> None:
        for path in sorted(self._folder.glob("*.jsonl")):
            if (inode := path.stat().st_ino) not in self._segments:
                self._segments[inode] = self._files.enter_context(path.open("rb"))
        for segment in self._segments.values():
            begin = segment.tell()
            data = segment.read()
            whole = data[: data.rfind(b"\n") + 1]
            segment.seek(begin + len(whole))
            for line in whole.splitlines():
                for fact in parse_line(line).facts:
                    if isinstance(fact, Mark):
                        self.marks.add((fact.symbol, fact.observed_at, fact.price))
                    elif isinstance(fact, Fill | TradeEvent):
                        self.events.add(fact.event_id)


def planned_kills() -> list[str]:
    """Every step equally often, each at a random count, as EXCURSION_TEST_KILL."""
    choices = random.Random(SEED)
    names = [*COUNTS] * (KILLS // len(COUNTS) + 1)
    choices.shuffle(names)
    plans: list[str] = []
    for name in names:
        # The first write of all is the process id into the lock.
        first = 2 if name == "torn" else 1
        plans.append(f"{name}:{choices.randint(first, COUNTS[name])}")
        # The torn end is found by the next start, which dies of it too.
        if name == "torn":
            plans.append("torn_end_kept:1")
    return plans[:KILLS]


def test_killed_200_times_in_a_burst_of_5000_events(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    died: Counter[str] = Counter()
    settings = {"overlap_minutes": 6}
    market_data = {"watch": list(SYMBOLS)}
    with running(accounts={"main": ("key", "secret")}) as alpaca, ExitStack() as files:
        spool = SpoolReader(tmp_path / "state" / "spool", files)
        alpaca.set_clock(BEGIN, SPEED)
        burst = Burst(alpaca)
        burst.start()
        for number, plan in enumerate(planned_kills()):
            with ingesting(
                zygote,
                database,
                alpaca,
                tmp_path,
                ingest=settings,
                market_data=market_data,
                plan="tests.support.kill_plan:install",
                live=False,
                environ={VARIABLE: plan},
            ) as daemon:
                # Part of it happens before anybody listens.
                burst.allowed = max(burst.allowed, EVENTS * number // KILLS)
                deadline = time.monotonic() + PATIENCE
                while (status := zygote.wait(daemon.pid, 0.15)) is None:
                    if time.monotonic() > deadline:
                        break
                    # Bit by bit: one batch is a step once, however many are in it.
                    burst.allowed = burst.events + 15
                assert status in (None, -signal.SIGKILL), daemon.text
            died[plan.partition(":")[0] if status else "as it stood"] += 1
            spool.look()
        burst.allowed = max(burst.allowed, EVENTS)
        burst.is_ending = True
        with ingesting(
            zygote,
            database,
            alpaca,
            tmp_path,
            ingest=settings,
            market_data=market_data,
        ) as daemon:
            burst.join(30)
            assert burst.error is None and burst.events >= EVENTS
            fills = "select count(*) from raw.fills"
            eventually(
                lambda: database.query(fills), [(len(burst.executions),)], timeout=30
            )
            # Orders that ended unseen are found by the nightly sweep at the latest.
            alpaca.set_clock(BEGIN + timedelta(days=3))
            eventually(lambda: orders(database), burst.orders, timeout=30)
            eventually(lambda: daemon.status()["spool"]["depth_bytes"], 0)
            assert daemon.stop() == 0
            spool.look()
        assert not alpaca.forbidden_requests
    assert died.total() == KILLS and died["as it stood"] < KILLS / 10
    assert all(died[step] for step in COUNTS), died
    check_executions(database, burst)
    check_spooled(database, spool)


def check_executions(database: Database, burst: Burst) -> None:
    """Exactly what the stand-in executed, none twice, each with its dedupe row."""
    stored = database.query(
        "select execution_id::text, order_id, cum_qty::text, qty::text, price::text"
        " from raw.fills where kind = 'fill' and superseded_by is null"
    )
    assert len(stored) == len(burst.executions)
    assert {row[0]: row[1:] for row in stored} == burst.executions
    assert not database.query(
        "select fills.event_id, count(events.event_id) from raw.fills"
        " left join raw.alpaca_event_dedupe as events"
        " on fills.event_id = events.event_id and fills.event_id = events.fill_event_id"
        " group by 1 having count(events.event_id) <> 1"
    )
    # No alias: the stream and REST name each execution alike here.
    assert not database.query(
        "select * from raw.alpaca_event_dedupe"
        " where event_type in ('fill', 'partial_fill')"
        " and fill_event_id is distinct from event_id"
    )
    assert not database.query("select * from raw.quarantine")


def orders(database: Database) -> dict[str, tuple[str, str]]:
    rows = database.query("select order_id, status, filled_qty::text from raw.orders")
    return {order_id: (status, filled) for order_id, status, filled in rows}


def check_spooled(database: Database, spool: SpoolReader) -> None:
    """Every mark and event that was in the spool when a daemon died, once."""
    stored = database.query(
        "select symbol, ts, price from raw.marks join raw.instruments using (symbol_id)"
    )
    assert len(stored) == len(set(stored))
    assert spool.marks == set(stored)
    assert len(stored) > KILLS
    events = database.query(
        "select event_id from raw.alpaca_event_dedupe where event_id not like 'nta:%%'"
    )
    assert {event_id for (event_id,) in events} == spool.events
