"""The REST side of one account: catch-up, then comparison, again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ingest import logs
from ingest.catchup import CatchUp, Round
from ingest.reconcile import Reconciler
from ingest.spool import Spool
from ingest.state import AccountState, StreamState
from ingest.told import MissedByStream, Told
from ingest.watchlist import Watchlist

LOG = logs.get(__name__)

FLUSH_SECONDS = 30.0


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
        told: Told,
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
        self._missed = MissedByStream(told)
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
        missed = self._missed.look(done.fills, live_for, now, done.broker_now)
        if missed:
            self._state.missed_by_stream += missed
            LOG.warning("missed_by_stream", account=self._state.name, count=missed)
            self._restart_stream(f"it did not deliver {missed} executions")

    def _failed(self, error: Exception) -> None:
        reason = " ".join(str(error).split()) or type(error).__name__
        self._state.catchup_problem = reason
        LOG.warning("catchup_failed", account=self._state.name, reason=reason)
