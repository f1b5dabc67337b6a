"""What a mark takes on disk, and what keeps it so."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingest import maintain
from ingest.batch import as_columns
from ingest.facts import Mark
from ingest.outcome import Outcome
from ingest.recording import parse_line
from ingest.tables import marks
from ingest.upkeep import Upkeep
from ingest.writer import Writer
from tests.support import wire
from tests.support.command import excursion
from tests.support.postgres import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

DAYS = """
select relname from pg_inherits inner join pg_class on inhrelid = pg_class.oid
where inhparent = 'raw.marks'::regclass order by relname
"""
OPENS = timedelta(hours=14.5)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with closing(database.connect()) as opened:
        yield opened


def record(
    connection: Connection, day: str, count: int, *, symbols: int, batch: int
) -> None:
    """Quotes of a session, of all symbols by turns, as a live ingester writes them."""
    chance = random.Random(day)
    opened_at = datetime.fromisoformat(day).replace(tzinfo=UTC) + OPENS
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into raw.instruments (symbol, asset_class, ticker, multiplier)"
            " select 'S' || n, 'us_equity', 'S' || n, 1"
            " from generate_series(1, %s) as n"
            " on conflict do nothing",
            (symbols,),
        )
        cursor.execute("select symbol, symbol_id from raw.instruments")
        ids = dict(cursor.fetchall())
    names, days = list(ids), marks.Days()
    for start in range(0, count, batch):
        observed = []
        for number in range(start, min(count, start + batch)):
            at = opened_at + timedelta(hours=6.5) * number / count
            bid = chance.randrange(1_000, 50_000) / 100
            ask = bid + 0.02
            price = round((bid + ask) / 2, 9)
            observed.append(Mark(chance.choice(names), at, price, bid, ask, True))
        with connection, connection.cursor() as cursor:
            marks.write(cursor, as_columns(observed, set()), ids, days, Outcome())
            # Else the server may count them up to ten seconds later.
            cursor.execute("select pg_stat_force_next_flush()")


def write(writer: Writer, *instants: str) -> None:
    lines = [wire.line("stock_data", wire.trade(t=instant)) for instant in instants]
    writer.write([parse_line(line.encode()) for line in lines])


def size(database: Database, partition: str) -> float:
    """Bytes a mark with indexes, free space and visibility maps; counted exactly."""
    database.execute(f"analyze raw.{partition}")
    [(total,)] = database.query(
        "select pg_total_relation_size(%s)", (f"raw.{partition}",)
    )
    [(count,)] = database.query(f"select count(*) from raw.{partition}")  # noqa: S608
    return float(total / count)


def settle(connection: Connection) -> list[maintain.Settled]:
    with maintain.only_maintenance(connection):
        return list(maintain.settle_days(connection))


@pytest.mark.long
@pytest.mark.parametrize(("symbols", "batch"), [(200, 1_000), (300, 20_000)])
def test_a_mark_takes_140_bytes_fresh_and_110_once_its_day_is_closed(
    connection: Connection, database: Database, symbols: int, batch: int
) -> None:
    """All of them quotes, which are larger than trades; live, and as of a replay."""
    record(connection, "2026-03-02", 210_000, symbols=symbols, batch=batch)
    assert 120 < size(database, "marks_20260302") <= 140
    [done] = settle(connection)
    assert done.after.marks == 210_000
    assert done.after.is_compact
    assert done.after.bytes_each <= 110
    assert size(database, "marks_20260302") <= 110
    # Reads of the key and the price do not touch the table: all of it is visible.
    with connection.cursor() as cursor:
        cursor.execute(
            "explain (analyze, costs off, timing off, summary off)"
            " select max(price) from raw.marks_20260302 where symbol_id = 7"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan" in plan
    assert "Heap Fetches: 0" in plan


def test_the_upkeep_has_nothing_to_do_a_second_time(
    connection: Connection, database: Database
) -> None:
    for day in ("2026-03-02", "2026-03-03"):
        record(connection, day, 8_000, symbols=40, batch=400)
    assert [str(done.after.utc_day) for done in settle(connection)] == [
        "2026-03-02",
        "2026-03-03",
    ]
    assert settle(connection) == []
    # A late mark is taken, and the day looked after again.
    connection.cursor().execute("select pg_stat_force_next_flush()")
    write(Writer(connection), "2026-03-02T12:00:00Z")
    [late] = settle(connection)
    assert (str(late.after.utc_day), late.after.marks) == ("2026-03-02", 8_001)
    assert database.query("select count(*) from raw.marks") == [(16_001,)]


def test_the_newest_day_is_left_alone_until_an_hour_after_its_end(
    connection: Connection,
) -> None:
    now = datetime.now(UTC)
    yesterday, today = now - timedelta(days=1), now
    record(connection, f"{today:%Y-%m-%d}", 2_000, symbols=20, batch=400)
    assert settle(connection) == []
    # As soon as a later day has marks, however young.
    tomorrow = now + timedelta(days=1)
    record(connection, f"{tomorrow:%Y-%m-%d}", 2_000, symbols=20, batch=400)
    record(connection, f"{yesterday:%Y-%m-%d}", 2_000, symbols=20, batch=400)
    assert [done.after.utc_day for done in settle(connection)] == [
        yesterday.date(),
        today.date(),
    ]


@pytest.mark.parametrize("is_replayed", [False, True])
def test_a_swollen_day_is_not_left_until_it_is_over(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, is_replayed: bool
) -> None:
    """Large days of quotes alone come to a little more than 140 bytes a mark."""
    monkeypatch.setattr(maintain, "MANY", 10_000)
    monkeypatch.setattr(maintain, "SWOLLEN_BYTES", 125)
    today = datetime.now(UTC)
    record(connection, f"{today:%Y-%m-%d}", 30_000, symbols=40, batch=400)
    [before] = maintain.days(connection)
    assert before.is_swollen
    connection.rollback()
    if is_replayed:
        maintain.settle_fresh(connection, {"raw.marks_20130101"})
        assert maintain.days(connection) == [before]
        connection.rollback()
        maintain.settle_fresh(connection, {f"raw.marks_{today:%Y%m%d}"})
    else:
        [done] = settle(connection)
        assert not done.after.is_closed
    [after] = maintain.days(connection)
    assert after.index_bytes < 0.7 * before.index_bytes
    connection.rollback()
    assert settle(connection) == []


def test_what_a_killed_rebuild_left_behind_is_cleared_away(
    connection: Connection, database: Database
) -> None:
    record(connection, "2026-03-02", 2_000, symbols=20, batch=400)
    settle(connection)
    # A server that is killed in REINDEX CONCURRENTLY leaves this.
    database.execute(
        "create index marks_20260302_pkey_ccnew on raw.marks_20260302 (ts);"
        " update pg_index set indisvalid = false"
        " where indexrelid = 'raw.marks_20260302_pkey_ccnew'::regclass"
    )
    settle(connection)
    assert database.query("select to_regclass('raw.marks_20260302_pkey_ccnew')") == [
        (None,)
    ]
    assert database.query(
        "select count(*) from pg_index where indrelid = 'raw.marks_20260302'::regclass"
    ) == [(1,)]


def test_two_upkeeps_at_once_are_one(
    connection: Connection, database: Database
) -> None:
    with maintain.only_maintenance(connection):
        done = excursion("maintain", environment=database.environment())
    assert done.status == 1
    assert "are being maintained already" in done.failure


def test_the_command_tells_what_it_saw(
    connection: Connection, database: Database
) -> None:
    record(connection, "2026-03-02", 10_000, symbols=40, batch=400)
    first = excursion("maintain", environment=database.environment())
    assert first.status == 0, first.err
    day, total = first.out.splitlines()
    assert day.startswith("2026-03-02: 10,000 marks, ")
    assert total.startswith("1 closed day, 10,000 marks, ")
    assert total.endswith(" bytes a mark")
    second = excursion("maintain", environment=database.environment())
    assert second.out.splitlines() == [total]


def test_the_daemon_does_it_in_a_thread(
    connection: Connection, database: Database
) -> None:
    record(connection, "2026-03-02", 10_000, symbols=40, batch=400)
    before = size(database, "marks_20260302")
    upkeep = Upkeep(database.connect, first_seconds=0, every_seconds=0.05)
    upkeep.start()
    try:
        _until(lambda: size(database, "marks_20260302") < 0.9 * before)
    finally:
        upkeep.stop(10)
    assert not upkeep.is_alive()


def test_the_daemon_stops_while_the_upkeep_hangs(
    connection: Connection, database: Database
) -> None:
    """Behind a transaction that is older than the rebuild and does not end."""
    record(connection, "2026-03-02", 10_000, symbols=40, batch=400)
    connection.cursor().execute("lock table raw.marks_20260302 in row exclusive mode")
    upkeep = Upkeep(database.connect, first_seconds=0)
    upkeep.start()
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    _until(lambda: database.query(waits) == [(1,)])
    upkeep.stop(10)
    assert not upkeep.is_alive()


def test_days_are_made_ahead_of_the_newest_mark_and_not_of_the_clock(
    connection: Connection, database: Database
) -> None:
    writer = Writer(connection, days_ahead=2)
    write(writer, "2013-12-30T15:00:00Z")
    ahead = ["marks_20131230", "marks_20131231", "marks_20140101"]
    assert [name for (name,) in database.query(DAYS)] == ahead
    # Of an older mark only its own day.
    write(writer, "2013-12-02T15:00:00Z", "2013-12-31T15:00:00Z")
    assert [name for (name,) in database.query(DAYS)] == [
        "marks_20131202", *ahead, "marks_20140102"
    ]  # fmt: skip
    assert writer.touched_partitions == {
        "raw.marks_20131202", "raw.marks_20131230", "raw.marks_20131231"
    }  # fmt: skip


def test_writers_at_once_make_a_day_once(database: Database) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with closing(database.connect()) as own:
                write(Writer(own, days_ahead=3), "2026-03-02T15:00:00Z")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(database.query(DAYS)) == 4


@pytest.mark.parametrize("is_old", [False, True])
def test_every_day_keeps_index_only_scans_working(
    connection: Connection, database: Database, is_old: bool
) -> None:
    """Also one that stood there before the settings did."""
    write(Writer(connection), "2026-03-02T15:00:00Z")
    if is_old:
        database.execute("alter table raw.marks_20260302 reset (fillfactor)")
        database.execute("select raw.set_marks_storage('raw.marks_20260302')")
    [(options,)] = database.query(
        "select reloptions from pg_class where relname = 'marks_20260302'"
    )
    assert set(options) == {
        "fillfactor=100",
        "autovacuum_vacuum_insert_threshold=10000",
        "autovacuum_vacuum_insert_scale_factor=0",
        "autovacuum_analyze_threshold=10000",
        "autovacuum_analyze_scale_factor=0.05",
    }


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        threading.Event().wait(0.05)
    pytest.fail("it did not happen")
