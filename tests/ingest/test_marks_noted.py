"""What the position models are told of new facts, whoever commits when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from ingest.recording import parse_line
from ingest.tables import marks
from ingest.writer import Writer
from tests.support import wire
from tests.support.postgres import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

NOTED = """
select symbol, to_char(hour_at, 'MM-DD HH24:MI'), is_claimed
from raw.changed_marks left join raw.instruments using (symbol_id)
order by symbol, hour_at, is_claimed
"""
FACTS = "select kind, account_name, reference, is_claimed from raw.changed_facts"
WAITS = """
select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
"""
LONG = 10.0  # seconds until a test gives up waiting


class Uncommitted:
    """A connection whose writer leaves its transaction open."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        pass


def write(connection: Connection | Uncommitted, *lines: str) -> None:
    entries = [parse_line(line.encode()) for line in lines]
    tally = Writer(cast("Connection", connection)).write(entries)
    assert tally["message", "quarantined"] == 0


def trade(price: float, t: str, symbol: str = "SPY") -> str:
    return wire.line("stock_data", wire.trade(symbol, price, t=t))


def fill(order: str) -> str:
    frame = wire.frame(of=wire.order(order), execution_id=f"execution-{order}")
    return wire.line("trade_updates", frame)


@contextmanager
def claiming(database: Database) -> Iterator[Future[None]]:
    """A claim in a thread; it may have to wait."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(database.execute, "select raw.claim_changes()")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(database.connect()) as opened:
        yield opened


@pytest.mark.parametrize("most_stored", [0, 4])
def test_a_row_per_symbol_and_hour_of_new_marks(
    connection: Connection,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    most_stored: int,
) -> None:
    """With 0 the server stores those of the second batch, else COPY does."""
    monkeypatch.setattr(marks, "MOST_STORED", most_stored)
    write(connection, trade(1, "2026-03-02T09:00:00Z"))
    database.execute("delete from raw.changed_marks")
    write(
        connection,
        trade(1, "2026-03-02T14:59:59.999999Z"),
        trade(2, "2026-03-02T15:00:00Z"),
        trade(3, "2026-03-02T15:59:59Z"),
        trade(4, "2026-03-02T23:30:00-05:00"),
        trade(1, "2026-03-02T14:00:00Z", "QQQ"),
    )
    assert database.query(NOTED) == [
        ("QQQ", "03-02 14:00", False),
        ("SPY", "03-02 14:00", False),
        ("SPY", "03-02 15:00", False),
        ("SPY", "03-03 04:00", False),
    ]


@pytest.mark.parametrize("most_stored", [0, 4])
def test_only_what_was_written_is_noted(
    connection: Connection,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    most_stored: int,
) -> None:
    monkeypatch.setattr(marks, "MOST_STORED", most_stored)
    lines = [
        wire.line("stock_data", wire.quote("SPY", 99, 101, t="2026-03-02T14:30:00Z")),
        *[trade(7, f"2026-03-02T{hour}:30:00Z") for hour in (14, 15)],
    ]
    write(connection, *lines)
    database.execute("delete from raw.changed_marks")
    write(connection, *lines)
    assert database.query(NOTED) == []
    tighter = wire.quote("SPY", 99.5, 100.5, t="2026-03-02T14:30:00Z")
    write(connection, *lines, wire.line("stock_data", tighter))
    assert database.query("select bid from raw.marks where bid is not null") == [
        (99.5,)
    ]
    assert database.query(NOTED) == [("SPY", "03-02 14:00", False)]


def test_a_note_that_is_there_is_neither_doubled_nor_written_again(
    connection: Connection, database: Database
) -> None:
    version = "select ctid::text, xmin::text from raw.changed_marks"
    write(connection, trade(1, "2026-03-02T14:30:00Z"))
    [before] = database.query(version)
    write(connection, trade(2, "2026-03-02T14:30:01Z"))
    assert database.query(version) == [before]


def test_a_claim_waits_for_marks_of_an_hour_that_it_takes(
    connection: Connection, database: Database
) -> None:
    write(connection, trade(1, "2026-03-02T14:30:00Z"))
    write(Uncommitted(connection), trade(2, "2026-03-02T14:31:00Z"))
    with claiming(database) as claim:
        until(lambda: claim.done() or database.query(WAITS) == [(1,)])
        assert not claim.done()
        assert database.query(NOTED) == [("SPY", "03-02 14:00", False)]
        connection.commit()
        claim.result(LONG)
    assert database.query(NOTED) == [("SPY", "03-02 14:00", True)]
    assert database.query("select price from raw.marks order by ts") == [(1,), (2,)]


def test_marks_of_an_hour_that_is_being_claimed_are_noted_anew(
    connection: Connection, database: Database
) -> None:
    write(connection, trade(1, "2026-03-02T14:30:00Z"))
    with ThreadPoolExecutor(1) as pool, closing(database.connect()) as build:
        build.cursor().execute("select raw.claim_changes()")
        late = pool.submit(write, connection, trade(2, "2026-03-02T14:31:00Z"))
        until(lambda: late.done() or database.query(WAITS) == [(1,)])
        build.commit()
        late.result(LONG)
    both = [("SPY", "03-02 14:00", False), ("SPY", "03-02 14:00", True)]
    assert database.query(NOTED) == both
    database.execute("select raw.forget_claimed_changes()")
    assert database.query(NOTED) == both[:1]


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_writer_that_commits_late_is_claimed_by_the_next_build(
    connection: Connection, database: Database, is_noted: bool
) -> None:
    """It began first; a fact of another writer was committed and claimed meanwhile."""
    if is_noted:
        write(connection, fill("late"))
    early = wire.line("stock_data", wire.trade(price=1, t="2026-03-02T14:30:00Z"))
    write(Uncommitted(connection), fill("late"), fill("later"), early)
    database.execute(
        "insert into raw.instruments (symbol, asset_class, ticker, multiplier)"
        " values ('QQQ', 'us_equity', 'QQQ', 1);"
        "insert into raw.account_activities (account_name, activity_id, status,"
        " activity_type, activity_date, symbol, received_at, payload)"
        " values ('main', 'a', 'executed', 'DIV', '2026-03-02', 'QQQ', now(), '{}')"
    )
    with claiming(database) as claim:
        claim.result(LONG)
    references = {reference for _, _, reference, _ in database.query(FACTS)}
    assert references == ({"a", "late"} if is_noted else {"a"})
    database.execute("select raw.forget_claimed_changes()")
    connection.commit()
    with claiming(database) as claim:
        claim.result(LONG)
    found = {fact for fact in database.query(FACTS) if fact[0] == "fill"}
    assert found >= {("fill", "main", "later", True)}
    assert all(is_claimed for *_, is_claimed in database.query(FACTS))
    assert database.query(NOTED) == [("SPY", "03-02 14:00", True)]
