"""The daemon's upkeep of the marks' storage: once an hour, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2

from ingest import logs
from ingest.maintain import MaintenanceRunsError, only_maintenance, settle_days

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

LOG = logs.get(__name__)

# A start has more urgent things to do.
FIRST_SECONDS = 300.0
EVERY_SECONDS = 3600.0


class Upkeep(threading.Thread):
    """Makes closed days of marks compact until told to stop.

    ``connect`` opens a connection whose statements may take long, or raises.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        first_seconds: float = FIRST_SECONDS,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        super().__init__(name="upkeep", daemon=True)
        self._connect = connect
        self._first_seconds = first_seconds
        self._every_seconds = every_seconds
        self._stopping = threading.Event()
        self._connection: Connection | None = None

    def stop(self, timeout: float) -> None:
        """End what it does just now; the next start goes on with it."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(psycopg2.Error):
                connection.cancel()
        if self.is_alive():
            self.join(timeout)

    def run(self) -> None:
        wait = self._first_seconds
        while not self._stopping.wait(wait):
            wait = self._every_seconds
            try:
                self._settle()
            except MaintenanceRunsError:
                pass
            except Exception as error:  # noqa: BLE001
                # Storage that is not tidy does no harm for an hour; recording goes on.
                if not self._stopping.is_set():
                    reason = " ".join(str(error).split())
                    LOG.warning("upkeep_failed", reason=reason)

    def _settle(self) -> None:
        with closing(self._connect()) as connection:
            self._connection = connection
            try:
                with only_maintenance(connection):
                    for done in settle_days(connection):
                        LOG.info(
                            "day_closed",
                            day=str(done.after.utc_day),
                            marks=done.after.marks,
                            bytes_before=done.before.total_bytes,
                            bytes_after=done.after.total_bytes,
                        )
                        if self._stopping.is_set():
                            return
            finally:
                self._connection = None
