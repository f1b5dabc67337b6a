"""The upkeep of raw.marks: closed days are vacuumed and their index made compact.

An index that grew while marks of many symbols came in by time is half empty: pages are
split in the middle, and nothing is ever added to the earlier half. (The server avoids
that for keys of at most 16 bytes; ours has 20.) Once a day is over its index is built
anew, beside the old one, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.errors import ExcursionError
from ingest.migrate import require_migrated
from ingest.sql import statement

# One upkeep at a time for a database; any number that nobody else uses.
MAINTENANCE_LOCK = 6_120_081_004

PAGE = 8192
# Entries of the key (symbol_id, ts, price) that a new index has on a page: 36 bytes
# each, a tenth of the page left free, which takes late marks without a split.
ENTRIES = 203
# A rebuild must be worth it. Beyond so much more than a new index has, a closed day
# could come to more than 110 bytes a mark.
TOLERANCE = 1.02
SPARE_PAGES = 3
# A mark of a day that is not over takes up to 140 bytes. Below so many marks the first
# pages of a table and an index weigh more than what is in them.
SWOLLEN_BYTES = 138
MANY = 100_000

# How long a rebuild waits for transactions that are older than itself.
LOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Day:
    """A day of marks as it was seen in the catalog.

    No new marks are expected of a closed one; a late one is welcome. ``marks`` is the
    server's estimate, exact after a vacuum.
    """

    name: str
    utc_day: date
    total_bytes: int
    index_bytes: int
    marks: int
    is_closed: bool
    is_vacuumed: bool

    @property
    def is_compact(self) -> bool:
        """Whether a new index would not be noticeably smaller."""
        leaves = -(-self.marks // ENTRIES)
        inner = -(-leaves // ENTRIES)
        pages = (leaves + inner) * TOLERANCE + SPARE_PAGES
        return self.index_bytes <= pages * PAGE

    @property
    def is_swollen(self) -> bool:
        """Whether even a day that is not over needs a new index."""
        return self.marks >= MANY and self.bytes_each > SWOLLEN_BYTES

    @property
    def bytes_each(self) -> float:
        return self.total_bytes / max(1, self.marks)


@dataclass(frozen=True, slots=True)
class Settled:
    """A day that was worked on, before and after."""

    before: Day
    after: Day


class MaintenanceRunsError(ExcursionError):
    """Another process is at it; it does the same work."""


@contextmanager
def only_maintenance(connection: Connection) -> Iterator[None]:
    """Hold the upkeep's lock, outside of a transaction.

    Raises MaintenanceRunsError where another process has it.
    """
    require_migrated(connection)
    connection.rollback()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_lock(%s)", (MAINTENANCE_LOCK,))
            if cursor.fetchone() == (False,):
                raise MaintenanceRunsError(
                    "the marks of this database are being maintained already: wait"
                    " until that is done"
                )
            try:
                yield
            finally:
                if not connection.closed:
                    unlock = "select pg_advisory_unlock(%s)"
                    cursor.execute(unlock, (MAINTENANCE_LOCK,))
    finally:
        if not connection.closed:
            connection.autocommit = False


def days(connection: Connection) -> list[Day]:
    """Every day that has marks, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(statement("maintain/days"))
        return [Day(*row) for row in cursor.fetchall()]


def settle_days(connection: Connection) -> Iterator[Settled]:
    """Vacuum and rebuild what needs it; each day when it is done.

    Killed at any instant it loses nothing, and the next call goes on. Call it within
    only_maintenance(). Raises ExcursionError where an older transaction does not end.
    """
    with connection.cursor() as cursor:
        _set_patience(cursor, LOCK_SECONDS)
        cursor.execute(statement("maintain/abandoned_indexes"))
        for (index,) in cursor.fetchall():
            cursor.execute(f"drop index concurrently if exists {index}")
        for before in days(connection):
            now = before
            # Pages that a COPY had added ahead are found by the first vacuum, and taken
            # off by the second, which reads next to nothing.
            for _ in range(2):
                if now.is_closed and not now.is_vacuumed:
                    cursor.execute(f"vacuum (freeze, analyze) {now.name}")
                    now = _again(connection, now)
            if now.is_swollen or (now.is_closed and not now.is_compact):
                _rebuild(cursor, now)
                now = _again(connection, now)
            if now is not before:
                yield Settled(before, now)


def settle_fresh(connection: Connection, names: Collection[str]) -> None:
    """Rebuild the index of those partitions that are swollen; not at any price.

    What cannot be had within a few seconds, or at all, is left to settle_days().
    """
    found = [day for day in days(connection) if day.name in names and day.is_swollen]
    if not found:
        return
    with (
        suppress(ExcursionError, psycopg2.Error),
        only_maintenance(connection),
        connection.cursor() as cursor,
    ):
        _set_patience(cursor, 5)
        try:
            for day in found:
                _rebuild(cursor, day)
        finally:
            cursor.execute("reset lock_timeout")


def _set_patience(cursor: Cursor, seconds: int) -> None:
    cursor.execute("select set_config('lock_timeout', %s, false)", (f"{seconds}s",))


def _rebuild(cursor: Cursor, day: Day) -> None:
    try:
        cursor.execute(f"reindex table concurrently {day.name}")
    except psycopg2.errors.LockNotAvailable:
        raise ExcursionError(
            f"a transaction that is older than the rebuild of {day.name} does not end:"
            " nothing was changed; run again once it has"
        ) from None


def _again(connection: Connection, day: Day) -> Day:
    for found in days(connection):
        if found.name == day.name:
            return found
    raise ExcursionError(f"{day.name} went away while it was being maintained")
