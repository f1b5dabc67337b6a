"""From the spool to the database: the one writer of the daemon, in its own thread.

A batch leaves the spool only after its commit. Whatever happens in between, the batch
is written again, and a second time writes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg2

from ingest import logs
from ingest.errors import ExcursionError
from ingest.migrate import require_migrated
from ingest.recording import Entry, Problem, parse_line
from ingest.state import State, utc_now
from ingest.writer import Writer

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from ingest.spool import Batch, Spool

LOG = logs.get(__name__)

# Some 20,000 lines: large enough that a backlog drains at full speed.
BATCH_BYTES = 4 << 20
READ_SECONDS = 0.25
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0
SHOWN_CHARACTERS = 200

# What a failed write may be put down to: the server, the network, or a foreign lock.
# Anything else is a fault of this program; it is told, and tried again all the same,
# because the spool must not be given up for it.
DATABASE_FAULTS = (ExcursionError, psycopg2.Error, OSError)


class Drain(threading.Thread):
    """Moves the spool's lines into the database until told to stop.

    ``connect`` opens a connection or raises; ``on_latency(seconds, count)`` is told
    how long lines took from being received to being committed; ``may_write`` is false
    while another process may own the accounts; ``days_ahead`` is the writer's.
    """

    def __init__(
        self,
        spool: Spool,
        state: State,
        connect: Callable[[], Connection],
        on_latency: Callable[[float, int], None] = lambda seconds, count: None,
        may_write: Callable[[], bool] = lambda: True,
        *,
        days_ahead: int = 0,
    ) -> None:
        super().__init__(name="drain", daemon=True)
        self._spool = spool
        self._state = state
        self._connect = connect
        self._on_latency = on_latency
        self._may_write = may_write
        self._days_ahead = days_ahead
        # Not `_stop`: threading.Thread has one of that name.
        self._stopping = threading.Event()
        self._writer: Writer | None = None
        self._connection: Connection | None = None
        #: What was received before this monotonic time is in the database.
        self.written_up_to = 0.0

    def stop(self, timeout: float) -> bool:
        """Write what is durable, as far as ``timeout`` seconds allow; true if all."""
        deadline = time.monotonic() + timeout
        while (
            self._state.database_problem is None
            and self._spool.depth_bytes
            and time.monotonic() < deadline
            and self.is_alive()
        ):
            time.sleep(0.02)
        self._stopping.set()
        self.join(max(0.1, deadline - time.monotonic()))
        return not self._spool.depth_bytes

    def run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                if self._step():
                    failures = 0
            except Exception as error:  # noqa: BLE001 - see DATABASE_FAULTS
                failures += 1
                self._failed(error, failures)
        self._disconnect()

    def _step(self) -> bool:
        """Write one batch; false where there was none."""
        if not self._may_write():
            # Lost together with the heartbeat's connection, most likely; in any case
            # nothing is written until the accounts are ours again.
            if self._state.database_problem is None:
                self._state.database_problem = "the accounts' locks were lost"
                self._disconnect()
            self._stopping.wait(READ_SECONDS)
            return False
        writer = self._writer or self._open()
        batch = self._spool.read(BATCH_BYTES, READ_SECONDS)
        if batch is None:
            # Connected, and nothing that could show whether it can be written to.
            self._state.database_problem = None
            return False
        entries = [parse_line(line) for line in batch.lines]
        tally = writer.write(entries)
        self._spool.done(batch.end)
        self._committed(batch)
        self._state.tally += tally
        return True

    def _open(self) -> Writer:
        self._connection = self._connect()
        require_migrated(self._connection)
        self._writer = Writer(
            self._connection, self._set_aside, days_ahead=self._days_ahead
        )
        LOG.info("database_connected")
        return self._writer

    def _committed(self, batch: Batch) -> None:
        now = time.monotonic()
        for received, count in batch.groups:
            self._on_latency(now - received, count)
            self.written_up_to = received
        self._state.last_commit_at = utc_now()
        self._state.database_problem = None

    def _set_aside(self, entry: Entry, problem: Problem) -> None:
        self._state.quarantined[problem.code] += 1
        LOG.warning(
            "quarantined",
            code=problem.code,
            reason=problem.reason,
            channel=entry.channel,
            account=entry.account_name,
            line=entry.line[:SHOWN_CHARACTERS],
        )

    def _failed(self, error: Exception, failures: int) -> None:
        # What a command should do about it, the writer's own text says; here it is
        # done already.
        cause = error.__cause__ if isinstance(error, ExcursionError) else None
        reason = " ".join(str(cause or error).split()) or type(error).__name__
        self._state.database_problem = reason
        if isinstance(error, DATABASE_FAULTS):
            LOG.warning("database_failed", reason=reason, failures=failures)
        else:
            LOG.exception("writer_failed", reason=reason, failures=failures)
        self._disconnect()
        self._spool.rewind()
        pause = FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 10)
        self._stopping.wait(min(pause, LONGEST_PAUSE_SECONDS))

    def _disconnect(self) -> None:
        self._writer = None
        if self._connection is not None and not self._connection.closed:
            self._connection.close()
        self._connection = None
