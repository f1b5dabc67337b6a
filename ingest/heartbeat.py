"""The heartbeat: one connection that holds a lock per account and tells that we live.

The lock keeps a second daemon from recording the same account; the row in
raw.heartbeats tells whoever reads the database how old its facts may be. Both need a
session of their own: through a pooler that lends sessions per transaction
(PgBouncer's transaction mode) the lock would mean nothing.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingest import logs
from ingest.errors import ExcursionError, UsageError
from ingest.sql import statement
from ingest.state import State

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

#: First keys of the advisory locks; the second key is a number made of the account's
#: name. Any numbers, as long as nobody else uses them in the database.
LOCK_CLASS, NAME_CLASS = 6120081, 6120082

#: Seconds between attempts to connect: the first and the longest.
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0

#: Seconds in which a lock that another session holds may still come free: a daemon
#: that was killed leaves its session for a moment, a network that broke for longer.
START_GRACE, RECONNECT_GRACE = 2.0, 15.0

#: Seconds for one exchange with the database, after which the connection is cut.
PATIENCE = 8.0

#: Seconds for the last one.
STOP_PATIENCE = 1.5

logger = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """The session that holds an account's lock."""

    pid: int
    since: datetime | None
    is_same_account: bool

    @property
    def session(self) -> tuple[int, datetime | None]:
        """What tells it from a later session with the same process id."""
        return self.pid, self.since


#: The holder went away between the two statements that asked.
NOBODY = Holder(0, None, False)


class RefusedError(ExcursionError):
    """Another session records an account of ours."""


class Heartbeat:
    """Holds the accounts' locks and beats in a thread, from ``start`` to ``stop``.

    Args:
        connect: Opens a connection that is the heartbeat's own; may raise.
        state: What the beats tell.
        accounts: Names; nobody else may record them meanwhile.
        on_refused: Called once, in the thread, with one line for the user, where
            another process records one of the accounts; the thread ends with it.
        seconds: Between beats.

    Raises:
        UsageError: Two of the accounts make the same lock number (one in four billion
            pairs of names does).
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        state: State,
        accounts: Sequence[str],
        on_refused: Callable[[str], None] | None = None,
        *,
        seconds: float = 5.0,
    ) -> None:
        self._connect = connect
        self._state = state
        # In one order everywhere, so that of two daemons one gets all or nothing.
        self._accounts = sorted(set(accounts))
        self._seconds = seconds
        self._on_refused = on_refused or (lambda message: None)
        self._stopping = threading.Event()
        self._held = threading.Event()
        self._decided = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._descriptor: int | None = None
        self._cutting = threading.Lock()
        # Sessions of this very object: what they hold is ours.
        self._sessions: set[tuple[int, datetime | None]] = set()
        by_number: dict[int, str] = {}
        for name in self._accounts:
            other = by_number.setdefault(lock_number(name), name)
            if other != name:
                raise _collision(name, other)

    @property
    def locks_held(self) -> bool:
        """Whether all accounts are ours at this instant, as far as we can know."""
        return self._held.is_set()

    def wait_for_locks(self, timeout: float | None = None) -> bool:
        """Wait until all accounts are ours; False when ``timeout`` seconds passed."""
        return self._held.wait(timeout)

    def wait_decided(self, timeout: float | None = None) -> bool:
        """Wait until all accounts are ours, or one is refused, or nobody can tell.

        Nobody can tell while the database cannot be reached; what arrives meanwhile is
        spooled. False when ``timeout`` seconds passed.
        """
        return self._decided.wait(timeout)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Beat once more, release the locks, close; within 2 s, whatever hangs."""
        self._stopping.set()
        self._decided.set()
        if not self._thread.is_alive():
            return
        cut = threading.Timer(STOP_PATIENCE, self._cut)
        cut.daemon = True
        cut.start()
        self._thread.join(timeout=STOP_PATIENCE + 0.4)
        cut.cancel()

    def _run(self) -> None:
        wait, said = FIRST_WAIT, False
        while not self._stopping.is_set():
            try:
                with self._connected() as connection:
                    if not self._take_locks(connection):
                        return
                    with self._within(PATIENCE):
                        self._beat(connection)
                    if said:
                        logger.info("heartbeat_restored")
                    wait, said = FIRST_WAIT, False
                    self._beat_until_stopped(connection)
                    return
            except RefusedError as error:
                logger.error("account_refused", message=str(error))
                self._on_refused(str(error))
                self._decided.set()
                return
            except Exception as error:  # noqa: BLE001
                # Whatever it is, the next attempt may find it gone; recording goes on.
                if not said and not self._stopping.is_set():
                    reason = " ".join(str(error).split())
                    logger.warning("heartbeat_lost", message=reason)
                said = True
                self._decided.set()
            finally:
                self._held.clear()
            self._stopping.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with closing(self._connect()) as connection:
            connection.autocommit = True
            descriptor = os.dup(connection.fileno())
            with self._cutting:
                self._descriptor = descriptor
            try:
                _notice_broken_networks(descriptor)
                yield connection
            finally:
                with self._cutting:
                    self._descriptor = None
                    os.close(descriptor)

    def _cut(self) -> None:
        """End the connection under a call that hangs in it, which then fails."""
        with self._cutting:
            if self._descriptor is None:
                return
            with suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as s:
                s.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Cut the connection if the block takes longer.

        The server's own timeouts do not help where the server itself hangs.
        """
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _take_locks(self, connection: Connection) -> bool:
        """True once all are ours, False when told to stop; else raises RefusedError."""
        grace = RECONNECT_GRACE if self._sessions else START_GRACE
        deadline = time.monotonic() + grace
        own = self._prepare(connection)
        try:
            while (found := self._try_locks(connection)) is not None:
                name, holder = found
                if holder.session in self._sessions:
                    # Our own, from before the connection broke: the server has not
                    # noticed yet.
                    with self._within(PATIENCE), connection.cursor() as cursor:
                        cursor.execute("select pg_terminate_backend(%s)", (holder.pid,))
                elif holder is not NOBODY and time.monotonic() >= deadline:
                    raise _refused(name, holder)
                if self._stopping.wait(0.25):
                    return False
        finally:
            self._sessions.add(own)
        self._held.set()
        self._decided.set()
        return True

    def _prepare(self, connection: Connection) -> tuple[int, datetime | None]:
        """Set the session up; returns what tells it from others."""
        with self._within(PATIENCE), connection.cursor() as cursor:
            cursor.execute(statement("heartbeat/session"))
            cursor.execute(
                "select pid, backend_start from pg_stat_activity"
                " where pid = pg_backend_pid()"
            )
            [(pid, since)] = cursor.fetchall()
        return pid, since

    def _try_locks(self, connection: Connection) -> tuple[str, Holder] | None:
        """Take the locks that are missing; the first that is held by another."""
        with self._within(PATIENCE), connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock_all()")
            for name in self._accounts:
                lock = "select pg_try_advisory_lock(%s, %s)"
                cursor.execute(lock, (LOCK_CLASS, lock_number(name)))
                [(is_ours,)] = cursor.fetchall()
                if is_ours:
                    # Only tells others which account the first one is for.
                    cursor.execute(lock, (NAME_CLASS, _name_number(name)))
                    continue
                cursor.execute(
                    statement("heartbeat/holder"),
                    {
                        "lock_class": LOCK_CLASS,
                        "lock_number": lock_number(name) & 0xFFFFFFFF,
                        "name_class": NAME_CLASS,
                        "name_number": _name_number(name) & 0xFFFFFFFF,
                    },
                )
                holders = cursor.fetchall()
                cursor.execute("select pg_advisory_unlock_all()")
                return name, Holder(*holders[0]) if holders else NOBODY
        return None

    def _beat_until_stopped(self, connection: Connection) -> None:
        while not self._stopping.wait(self._seconds):
            with self._within(PATIENCE):
                self._beat(connection)
        with self._within(STOP_PATIENCE):
            self._beat(connection)
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock_all()")

    def _beat(self, connection: Connection) -> None:
        state, names = self._state, self._accounts
        trading = {
            stream.account_name: stream
            for stream in dict(state.streams).values()
            if stream.account_name and stream.name.startswith("trading")
        }
        accounts = dict(state.accounts)
        streams = [trading.get(name) for name in names]
        known = [accounts.get(name) for name in names]
        parameters = {
            "account_name": names,
            "live_since": [each.live_since if each else None for each in streams],
            "last_event_at": [each.last_event_at if each else None for each in streams],
            "last_catchup_at": [
                each.last_catchup_at if each else None for each in known
            ],
            "spool_depth": state.spool.depth_bytes,
            "started_at": state.started_at,
        }
        if self._stopping.is_set():
            # Nobody listens any more, and whoever reads the row shall know why.
            parameters["live_since"] = [None] * len(names)
            parameters["started_at"] = None
        with connection.cursor() as cursor:
            cursor.execute(statement("heartbeat/beat"), parameters)


def lock_number(account_name: str) -> int:
    """The second key of an account's lock: the same in every process and version."""
    digest = hashlib.sha256(account_name.encode()).digest()
    return int.from_bytes(digest[:4], "big", signed=True)


def _name_number(account_name: str) -> int:
    """Independent of lock_number: two names that share both do not exist."""
    digest = hashlib.sha256(account_name.encode()).digest()
    return int.from_bytes(digest[4:8], "big", signed=True)


def _refused(name: str, holder: Holder) -> ExcursionError:
    if not holder.is_same_account:
        return RefusedError(
            f"account {name} has the same lock number as another account that database"
            f" process {holder.pid} records: give {name} another name"
        )
    since = ""
    if holder.since is not None:
        since = f" since {holder.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return RefusedError(
        f"account {name} is already being recorded by another excursion ingest"
        f" (database process {holder.pid}{since}): stop it first"
    )


def _collision(name: str, other: str) -> UsageError:
    return UsageError(
        f"accounts {other} and {name} have the same lock number: rename one of them"
    )


def _notice_broken_networks(descriptor: int) -> None:
    """Let the kernel end a TCP connection whose other end is gone; others need not."""
    tcp = socket.IPPROTO_TCP
    with socket.socket(fileno=os.dup(descriptor)) as connected:
        if connected.family not in (socket.AF_INET, socket.AF_INET6):
            return
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", 5),
            ("TCP_KEEPINTVL", 3),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 10_000),
        ):
            # Not every system has all of them.
            if hasattr(socket, option):
                with suppress(OSError):
                    connected.setsockopt(tcp, getattr(socket, option), value)
