"""The REST side of one account: catch-up, then comparison, again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ingest import logs
from ingest.catchup import CatchUp, Round
from ingest.identity import AccountRefusedError
from ingest.reconcile import Reconciler
from ingest.spool import Spool
from ingest.state import AccountState, StreamState
from ingest.told import MissedByStream, Told
from ingest.watchlist import Watchlist

LOG = logs.get(__name__)

FLUSH_SECONDS = 30.0
# Comparing may take one part in so many of the time.
COMPARE_SHARE = 20


class AccountThread(threading.Thread):
    """Catches one account up every ``every_seconds``, and at once when poked.

    ``reconciler`` compares after each round, where the database is up;
    ``restart_stream(reason)`` is asked for where the stream missed something;
    ``refuse(message)`` ends the daemon, where the account is not the one it was.
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
        refuse: Callable[[str], None],
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
        self._refuse = refuse
        self._compare_at = 0.0
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
            except AccountRefusedError as error:
                self._refuse(str(error))
                return
            except Exception as error:  # noqa: BLE001 - whatever it was, ask again
                if not self._stopping.is_set():
                    self._failed(error)
            self._due.wait(max(0.0, self._every - (time.monotonic() - started)))

    def _round(self) -> None:
        # What REST tells may fill the spool like anything else.
        if not self._spool.wait_for_room(self._stopping):
            return
        done = self._catchup.round()
        if done.problem is None and self._spool.flush(FLUSH_SECONDS):
            self._catchup.settled(done)
        name = self._state.name
        if done.open_orders is not None:
            self._watchlist.saw_open_orders(name, done.open_orders)
        if done.positions is not None:
            self._watchlist.saw_positions(name, done.positions)
        self._judge_stream(done)
        self._compare(done)
        if done.problem is not None:
            raise done.problem

    def _compare(self, done: Round) -> None:
        started = time.monotonic()
        if done.positions is None or started < self._compare_at:
            return
        if self._is_database_up():
            if self._reconciler.look(done.positions, done.broker_now):
                # An expiry or a split, perhaps: known before the second look.
                self._catchup.fetch_non_trade(done)
            # A history of millions of executions takes seconds to add up.
            took = time.monotonic() - started
            self._compare_at = started + COMPARE_SHARE * took

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
