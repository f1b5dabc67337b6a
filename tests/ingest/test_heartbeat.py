"""The heartbeat: one recorder per account, and a row that tells the truth."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from ingest import heartbeat
from ingest.errors import DatabaseUnreachableError, UsageError
from ingest.heartbeat import LOCK_CLASS, Heartbeat
from ingest.migrate import migrate
from ingest.state import AccountState, State, StreamState, utc_now
from tests.support.postgres import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

PATIENCE = 30

#: Stopping takes 2 s at most; on a busy machine it is told from what hangs for longer.
SOON = 5


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "START_GRACE", 0.3)
    monkeypatch.setattr(heartbeat, "RECONNECT_GRACE", 0.6)
    monkeypatch.setattr(heartbeat, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(heartbeat, "PATIENCE", 2.0)


class Recorder:
    """A daemon as far as its heartbeat sees it."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        *accounts: str,
        state: State | None = None,
        seconds: float = 0.05,
    ) -> None:
        self.state = state or State()
        self.refusals: list[str] = []
        self.heart = Heartbeat(
            connect, self.state, accounts, self.refusals.append, seconds=seconds
        )
        self.heart.start()


@pytest.fixture
def recording(database: Database) -> Iterator[Callable[..., Recorder]]:
    """Start recorders that are stopped at the end."""
    with ExitStack() as stack:

        def start(*accounts: str, **more: Any) -> Recorder:
            connect = more.pop("connect", database.connect)
            recorder = Recorder(connect, *accounts, **more)
            stack.callback(recorder.heart.stop)
            return recorder

        yield start


def rows(database: Database, columns: str) -> list[tuple[Any, ...]]:
    sql = f"select {columns} from raw.heartbeats order by account_name"  # noqa: S608
    return database.query(sql)


def holders(database: Database) -> list[int]:
    """The sessions that hold an account's lock."""
    sql = """
        select distinct pid from pg_locks
        join pg_database on pg_locks.database = pg_database.oid
        where locktype = 'advisory' and classid = %s
        and datname = current_database()
    """
    return [pid for (pid,) in database.query(sql, (LOCK_CLASS,))]


def test_each_account_has_a_row_that_tells_the_state(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    state = State()
    moment = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    stream = state.streams["trading:main"] = StreamState("trading:main", "main")
    stream.went_live()
    stream.last_event_at = moment
    state.accounts["main"] = AccountState("main", moment + timedelta(seconds=1))
    state.spool.depth_bytes = 1_234
    recorder = recording("main", "other", state=state)
    assert recorder.heart.wait_for_locks(PATIENCE)
    assert recorder.heart.wait_decided(0)
    until(lambda: len(rows(database, "1")) == 2)
    columns = "account_name, live_since, last_event_at, last_catchup_at, spool_depth"
    assert rows(database, f"{columns}, started_at") == [
        (
            *("main", stream.live_since, moment, moment + timedelta(seconds=1)),
            *(1_234, state.started_at),
        ),
        ("other", None, None, None, 1_234, state.started_at),
    ]
    [(first,), _] = rows(database, "beat_at")
    assert abs(utc_now() - first) < timedelta(minutes=1)
    stream.went_down("reconnecting")
    until(lambda: rows(database, "live_since")[0] == (None,))
    assert rows(database, "beat_at")[0][0] > first


def test_a_second_recorder_of_an_account_is_refused(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    first = recording("main")
    assert first.heart.wait_for_locks(PATIENCE)
    until(lambda: rows(database, "1"))
    other_start = utc_now() - timedelta(days=1)
    second = recording("main", "zeta", state=State(started_at=other_start))
    assert second.heart.wait_decided(PATIENCE)
    [message] = second.refusals
    [pid] = holders(database)
    shown = re.fullmatch(
        r"account main is already being recorded by another excursion ingest"
        r" \(database process (\d+) since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\):"
        r" stop it first",
        message,
    )
    assert shown and int(shown[1]) == pid
    assert not second.heart.locks_held and first.heart.locks_held
    # It wrote nothing over the first one's row, and nothing of its own.
    assert rows(database, "account_name, started_at") == [
        ("main", first.state.started_at)
    ]
    # Nor does it keep the account that was free.
    third = recording("zeta")
    assert third.heart.wait_for_locks(PATIENCE)


def test_accounts_of_different_names_do_not_meet(
    recording: Callable[..., Recorder],
) -> None:
    first, second = recording("main", "other"), recording("third")
    assert first.heart.wait_for_locks(PATIENCE)
    assert second.heart.wait_for_locks(PATIENCE)


def test_stopping_frees_the_account_and_says_so(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    state = State()
    stream = state.streams["trading:main"] = StreamState("trading:main", "main")
    stream.went_live()
    first = recording("main", state=state, seconds=60)
    assert first.heart.wait_for_locks(PATIENCE)
    until(lambda: rows(database, "1"))
    state.spool.depth_bytes = 77
    began = time.monotonic()
    first.heart.stop()
    assert time.monotonic() - began < SOON
    assert not first.heart.locks_held
    # The final beat: nobody listens any more.
    assert rows(database, "spool_depth, live_since") == [(77, None)]
    second = recording("main")
    assert second.heart.wait_for_locks(PATIENCE)
    assert second.refusals == []


def test_a_restart_does_not_forget_the_last_event(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    moment = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
    state = State()
    state.streams["trading:main"] = StreamState("trading:main", "main")
    state.streams["trading:main"].last_event_at = moment
    state.accounts["main"] = AccountState("main", moment)
    recorder = recording("main", state=state)
    until(lambda: rows(database, "1"))
    recorder.heart.stop()
    again = State()
    again.streams["trading:main"] = StreamState("trading:main", "main")
    again.accounts["main"] = AccountState("main")
    recording("main", state=again)
    until(lambda: rows(database, "started_at") == [(again.started_at,)])
    assert rows(database, "last_event_at, last_catchup_at") == [(moment, moment)]


def test_a_database_that_is_down_is_waited_for(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    attempts: list[float] = []

    def connect() -> Connection:
        attempts.append(time.monotonic())
        if len(attempts) < 5:
            raise DatabaseUnreachableError("nothing listens there")
        return database.connect()

    recorder = recording("main", connect=connect)
    # Nobody can tell who records: the daemon goes on, and spools.
    assert recorder.heart.wait_decided(PATIENCE)
    assert not recorder.heart.locks_held
    assert recorder.heart.wait_for_locks(PATIENCE)
    waits = [later - sooner for sooner, later in pairwise(attempts)]
    assert waits[0] < waits[-1] and waits[-1] > 0.3
    until(lambda: rows(database, "1"))


def test_tables_that_are_missing_are_waited_for(
    empty_database: Database, recording: Callable[..., Recorder]
) -> None:
    recorder = recording("main", connect=empty_database.connect)
    assert recorder.heart.wait_for_locks(PATIENCE)
    until(lambda: not recorder.heart.locks_held)
    with closing(empty_database.connect()) as connection:
        migrate(connection)
    until(lambda: rows(empty_database, "1"))
    assert recorder.refusals == []


def end(database: Database, pids: list[int]) -> None:
    for pid in pids:
        database.query("select pg_terminate_backend(%s, 5000)", (pid,))


def test_a_lost_session_is_replaced(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    recorder = recording("main")
    assert recorder.heart.wait_for_locks(PATIENCE)
    before = holders(database)
    end(database, before)
    until(lambda: (now := holders(database)) and now != before)
    assert recorder.heart.wait_for_locks(PATIENCE)
    [(beat,)] = rows(database, "beat_at")
    until(lambda: rows(database, "beat_at") > [(beat,)])
    assert recorder.refusals == []


def test_who_took_the_account_meanwhile_keeps_it(
    database: Database, recording: Callable[..., Recorder]
) -> None:
    is_down = False

    def connect() -> Connection:
        if is_down:
            raise DatabaseUnreachableError("nothing listens there")
        return database.connect()

    first = recording("main", connect=connect)
    assert first.heart.wait_for_locks(PATIENCE)
    is_down = True
    end(database, holders(database))
    until(lambda: not first.heart.locks_held)
    second = recording("main")
    assert second.heart.wait_for_locks(PATIENCE)
    is_down = False
    until(lambda: first.refusals)
    assert "already being recorded" in first.refusals[0]
    assert second.heart.locks_held


def test_a_killed_recorder_leaves_the_account_in_a_moment(
    database: Database, recording: Callable[..., Recorder], tmp_path: Any
) -> None:
    # Its session is there for less than the grace at a start.
    with closing(database.connect()) as remains, remains.cursor() as cursor:
        number = heartbeat.lock_number("main")
        cursor.execute("select pg_advisory_lock(%s, %s)", (LOCK_CLASS, number))
        recorder = recording("main")
        time.sleep(0.1)
        assert not recorder.heart.locks_held
    assert recorder.heart.wait_for_locks(PATIENCE)
    assert recorder.refusals == []


@pytest.fixture
def stopped() -> Iterator[Callable[[int], None]]:
    """Let a server process hang; all go on at the end."""
    pids: list[int] = []

    def stop(pid: int) -> None:
        try:
            os.kill(pid, signal.SIGSTOP)
        except (ProcessLookupError, PermissionError):
            pytest.skip("the server's processes are not ours to stop")
        pids.append(pid)

    yield stop
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_a_session_that_hangs_is_left_and_never_taken_for_a_stranger(
    database: Database,
    recording: Callable[..., Recorder],
    stopped: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "PATIENCE", 0.3)
    recorder = recording("main")
    assert recorder.heart.wait_for_locks(PATIENCE)
    [hanging] = holders(database)
    stopped(hanging)
    until(lambda: not recorder.heart.locks_held)
    # Longer than the grace: but it is our own session that holds the lock.
    time.sleep(heartbeat.RECONNECT_GRACE + 0.5)
    assert recorder.refusals == []
    assert not recorder.heart.locks_held
    assert holders(database) == [hanging]
    os.kill(hanging, signal.SIGCONT)
    assert recorder.heart.wait_for_locks(PATIENCE)
    assert hanging not in holders(database)


def test_stopping_takes_no_longer_where_the_server_hangs(
    database: Database,
    recording: Callable[..., Recorder],
    stopped: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "PATIENCE", 60)
    recorder = recording("main", seconds=60)
    assert recorder.heart.wait_for_locks(PATIENCE)
    until(lambda: rows(database, "1"))
    stopped(holders(database)[0])
    began = time.monotonic()
    recorder.heart.stop()
    assert time.monotonic() - began < SOON


def test_a_beat_that_hangs_is_ended_by_stopping(
    database: Database,
    recording: Callable[..., Recorder],
    stopped: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "PATIENCE", 60)
    recorder = recording("main")
    assert recorder.heart.wait_for_locks(PATIENCE)
    until(lambda: rows(database, "1"))
    stopped(holders(database)[0])
    time.sleep(0.3)
    began = time.monotonic()
    recorder.heart.stop()
    assert time.monotonic() - began < SOON
    assert not recorder.heart.locks_held


def test_stopping_takes_no_longer_where_connecting_hangs() -> None:
    def connect() -> Connection:
        time.sleep(8)
        raise DatabaseUnreachableError("no answer")

    recorder = Recorder(connect, "main")
    began = time.monotonic()
    recorder.heart.stop()
    assert time.monotonic() - began < SOON


def test_lock_numbers_are_the_same_for_ever() -> None:
    # Another number would let two versions of the program record one account.
    assert heartbeat.lock_number("main") == 225_329_273
    assert all(-(2**31) <= heartbeat.lock_number(f"a{n}") < 2**31 for n in range(100))


def test_two_names_of_one_lock_number_are_told_apart(
    recording: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "lock_number", lambda name: 7)
    with pytest.raises(UsageError, match="accounts main and other have the same lock"):
        Heartbeat(lambda: None, State(), ["other", "main"])  # type: ignore[arg-type, return-value]
    first = recording("main")
    assert first.heart.wait_for_locks(PATIENCE)
    second = recording("other")
    until(lambda: second.refusals)
    assert "account other has the same lock number as another" in second.refusals[0]
    third = recording("main")
    until(lambda: third.refusals)
    assert "account main is already being recorded" in third.refusals[0]
