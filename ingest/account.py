"""The REST side of one account: catch-up, then comparison, again and again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ingest import logs
from ingest.catchup import CatchUp, Round
from ingest.reconcile import Reconciler
from ingest.spool import Spool
from ingest.state import AccountState, StreamState
from ingest.watchlist import Watchlist

LOG = logs.get(__name__)

FLUSH_SECONDS = 30.0
REMEMBERED = 50_000


class Seen:
    """Executions that the stream told, so that REST can show which it did not.

    For the event loop and the account's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()

    def told(self, message: Any) -> None:
        data = message.get("data") if isinstance(message, dict) else None
        order = data.get("order") if isinstance(data, dict) else None
        if not isinstance(order, dict):
            return
        with self._lock:
            for one in (order, *(order.get("legs") or [])):
                if isinstance(one, dict):
                    key = (str(one.get("id")), _plain(one.get("filled_qty")))
                    self._told[key] = None
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)

    def knows(self, row: dict[str, Any]) -> bool:
        """Whether the stream told the execution of a FILL row."""
        key = (str(row.get("order_id")), _plain(row.get("cum_qty")))
        with self._lock:
            return key in self._told


class MissedByStream:
    """Finds executions that a live stream did not deliver.

    A row that REST shows for the first time happened since the round before. If the
    stream was live all that while, and has not told it by the next round either, then
    it will not.
    """

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._known: OrderedDict[str, None] = OrderedDict()
        self._suspects: dict[str, dict[str, Any]] = {}
        self._was_live_at: float | None = None

    def look(self, rows: list[dict[str, Any]], live_for: float, now: float) -> int:
        """How many are missed; ``live_for`` seconds the stream has been live."""
        missed = [r for r in self._suspects.values() if not self._seen.knows(r)]
        before = self._was_live_at
        is_judged = before is not None and live_for > now - before
        new = [row for row in rows if str(row.get("id")) not in self._known]
        self._suspects = {
            str(row.get("id")): row
            for row in new
            if is_judged and not self._seen.knows(row)
        }
        for row in new:
            self._known[str(row.get("id"))] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._was_live_at = now if live_for > 0 else None
        return len(missed)


class AccountThread(threading.Thread):
    """Catches one account up every ``every_seconds``, and at once when poked.

    ``reconciler`` compares after each round, where the database is up;
    ``restart_stream(reason)`` is asked for where the stream missed something;
    ``saw_clock(is_open)`` is told whether the market is open.
    """

    def __init__(
        self,
        catchup: CatchUp,
        reconciler: Reconciler,
        spool: Spool,
        watchlist: Watchlist,
        state: AccountState,
        stream: StreamState,
        seen: Seen,
        every_seconds: float,
        is_database_up: Callable[[], bool],
        restart_stream: Callable[[str], None],
        saw_clock: Callable[[bool], None],
    ) -> None:
        super().__init__(name=f"account {state.name}", daemon=True)
        self._catchup = catchup
        self._reconciler = reconciler
        self._spool = spool
        self._watchlist = watchlist
        self._state = state
        self._stream = stream
        self._missed = MissedByStream(seen)
        self._every = every_seconds
        self._is_database_up = is_database_up
        self._restart_stream = restart_stream
        self._saw_clock = saw_clock
        self._due = threading.Event()
        self._stopping = threading.Event()

    def poke(self) -> None:
        """Catch up now: the stream has just become live."""
        self._due.set()

    def stop(self) -> None:
        self._stopping.set()
        self._due.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._due.clear()
            started = time.monotonic()
            try:
                self._round()
            except Exception as error:  # noqa: BLE001 - whatever it was, ask again
                if not self._stopping.is_set():
                    self._failed(error)
            self._due.wait(max(0.0, self._every - (time.monotonic() - started)))

    def _round(self) -> None:
        # What REST tells may fill the spool like anything else.
        if not self._spool.wait_for_room(self._stopping):
            return
        done = self._catchup.round()
        if self._spool.flush(FLUSH_SECONDS):
            self._catchup.settled(done)
        self._saw_clock(done.is_open)
        self._watchlist.saw_open_orders(self._state.name, done.open_orders)
        self._watchlist.saw_positions(self._state.name, done.positions)
        self._judge_stream(done)
        if self._is_database_up() and self._reconciler.look(done):
            # An expiry or a split, perhaps: known before the second look.
            self._catchup.fetch_non_trade(done)

    def _judge_stream(self, done: Round) -> None:
        now = time.monotonic()
        live_for = now - self._stream.live_mono if self._stream.is_live else 0.0
        missed = self._missed.look(done.fills, live_for, now)
        if missed:
            self._state.missed_by_stream += missed
            LOG.warning("missed_by_stream", account=self._state.name, count=missed)
            self._restart_stream(f"it did not deliver {missed} executions")

    def _failed(self, error: Exception) -> None:
        reason = " ".join(str(error).split()) or type(error).__name__
        self._state.catchup_problem = reason
        LOG.warning("catchup_failed", account=self._state.name, reason=reason)


def _plain(quantity: Any) -> str:
    """One spelling for equal quantities."""
    text = str(quantity)
    return text.rstrip("0").rstrip(".") if "." in text else text
