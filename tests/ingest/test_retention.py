"""Archiving marks: nothing is dropped that is needed, or that is not in the file."""

from __future__ import annotations

import gzip
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest

from ingest.recording import parse_line
from ingest.writer import Writer
from tests.support import wire
from tests.support.command import Ended, excursion, start
from tests.support.postgres import Database, replay

# What the position models would have made: nothing is open, or one position.
BUILT = """
create schema analytics;
create table analytics.active_positions (entry_time timestamptz);
select raw.claim_changes();
select raw.forget_claimed_changes();
"""
MARKS = """
select symbol, asset_class, ts, price, bid, ask, is_usable
from raw.marks inner join raw.instruments using (symbol_id)
order by ts, symbol, price
"""
KEPT = "select utc_day::text, part, marks from raw.archived_marks order by 1, 2"
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04")


def recorded(day: str) -> list[str]:
    """Every kind of mark that there is, of every kind of instrument."""
    option = "SPY260320C00500000"
    return [
        wire.line("stock_data", wire.quote("SPY", 99.99, 100.02, t=f"{day}T15:00:00Z")),
        wire.line("stock_data", wire.trade("SPY", 100.1, t=f"{day}T15:00:00.1Z")),
        wire.line("stock_data", wire.trade("SPY", -1, t=f"{day}T15:00:00.2Z")),
        wire.line("option_data", wire.quote(option, 0, 0.05, t=f"{day}T15:00:01Z")),
        wire.line("option_data", wire.quote(option, 5, 4.9, t=f"{day}T15:00:02Z")),
        wire.line(
            "crypto_data",
            wire.quote("BTC/USD", None, 0.1, t=f"{day}T00:00:00.123456Z"),
        ),
        wire.line(
            "crypto_data",
            wire.quote("BTC/USD", 1 / 3, 2 / 3, t=f"{day}T23:59:59.999999Z"),
        ),
    ]


@dataclass
class Store:
    """A database with three days of marks that the models have seen."""

    database: Database
    folder: Path

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "archive").iterdir())

    def environment(self) -> dict[str, str]:
        return self.database.environment(EXCURSION_STATE_DIR=str(self.folder / "state"))

    def archive(self, before: str, command: str | None = None) -> Ended:
        command = command or f"cp {{file}} {self.folder}/archive/"
        return excursion(
            *("maintain", "--archive-before", before, "--archive-command", command),
            environment=self.environment(),
        )

    def restore(self, name: str) -> Ended:
        path = self.folder / "archive" / name
        return excursion("maintain", "--restore", path, environment=self.environment())

    def write(self, *lines: str) -> None:
        with closing(self.database.connect()) as connection:
            Writer(connection).write([parse_line(line.encode()) for line in lines])


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Store:
    (tmp_path / "archive").mkdir()
    replay(database, [line for day in DAYS for line in recorded(day)], tmp_path)
    database.execute(BUILT)
    return Store(database, tmp_path)


def test_a_day_goes_into_a_file_and_comes_back(store: Store) -> None:
    database = store.database
    before = database.query(MARKS)
    assert len(before) == 21
    done = store.archive("2026-03-04")
    assert done.status == 0, done.err
    assert done.out.splitlines()[:2] == [
        f"{day}: 7 marks archived as marks-{day}-1.jsonl.gz and dropped"
        for day in DAYS[:2]
    ]
    assert store.files == [f"marks-{day}-1.jsonl.gz" for day in DAYS[:2]]
    assert database.query(MARKS) == before[14:]
    assert database.query(KEPT) == [(day, 1, 7) for day in DAYS[:2]]
    assert list((store.folder / "state" / "archive").iterdir()) == []
    for day in DAYS[:2]:
        done = store.restore(f"marks-{day}-1.jsonl.gz")
        assert (done.status, done.out) == (0, f"{day}: 7 marks are stored again\n")
    assert database.query(MARKS) == before
    assert database.query(KEPT) == []
    # The models are told.
    assert database.query("select count(*) > 0 from raw.changed_marks") == [(True,)]


def test_late_marks_of_an_archived_day_are_taken_and_archived_in_their_turn(
    store: Store,
) -> None:
    store.archive("2026-03-03")
    late = wire.line("stock_data", wire.trade("SPY", 7, t="2026-03-02T15:00:00Z"))
    store.write(late)
    assert "dbt build" in store.archive("2026-03-03").failure
    store.database.execute("delete from raw.changed_marks")
    assert store.archive("2026-03-03").status == 0
    assert store.database.query(KEPT) == [("2026-03-02", 1, 7), ("2026-03-02", 2, 1)]
    assert store.files == [f"marks-2026-03-02-{part}.jsonl.gz" for part in (1, 2)]


@pytest.mark.parametrize(
    ("sql", "before", "said", "status"),
    [
        (
            "insert into analytics.active_positions values ('2026-03-03T00:10Z')",
            "2026-03-03",
            "--archive-before can be 2026-03-02 at most",
            1,
        ),
        (
            "insert into raw.changed_facts (kind, account_name, reference)"
            " values ('fill', 'main', 'o')",
            "2026-03-03",
            "run `dbt build` before archiving",
            1,
        ),
        (
            "insert into raw.changed_marks (symbol_id, hour_at, is_claimed)"
            " values (1, '2026-03-02T23:00Z', true)",
            "2026-03-03",
            "run `dbt build` before archiving",
            1,
        ),
        ("drop schema analytics cascade", "2026-03-03", "run `dbt build`", 1),
        ("select", "2026-03-05", "2026-03-04 is the newest day with marks", 2),
    ],
)
def test_what_is_still_needed_is_not_archived(
    store: Store, sql: str, before: str, said: str, status: int
) -> None:
    marks = store.database.query(MARKS)
    store.database.execute(sql)
    done = store.archive(before)
    assert said in done.failure
    assert done.status == status
    assert store.database.query(MARKS) == marks
    assert store.files == []


def test_days_before_an_open_position_are_archived(store: Store) -> None:
    store.database.execute(
        "insert into analytics.active_positions values ('2026-03-03T14:30Z');"
        " insert into raw.changed_marks (symbol_id, hour_at)"
        " values (1, '2026-03-03T00:00Z')"
    )
    assert store.archive("2026-03-03").status == 0
    assert store.database.query(KEPT) == [("2026-03-02", 1, 7)]


@pytest.mark.parametrize(
    ("command", "said", "status"),
    [
        ("false {file}", "ended with 1 for 2026-03-02: nothing of that day was", 1),
        ("/no/such/program {file}", "cannot run /no/such/program", 2),
        ("cp", "must hold {file}", 2),
        ("cp 'x {file}", "no closing quotation", 2),
    ],
)
def test_a_command_that_fails_drops_nothing(
    store: Store, command: str, said: str, status: int
) -> None:
    marks = store.database.query(MARKS)
    done = store.archive("2026-03-03", command)
    assert said in done.failure
    assert done.status == status
    assert store.database.query(MARKS) == marks
    assert store.database.query(KEPT) == []


def test_a_row_that_no_recording_can_tell_stops_it(store: Store) -> None:
    store.database.execute("update raw.marks set price = 100.1 where bid = 99.99")
    assert "read back is not what is stored" in store.archive("2026-03-03").failure
    assert store.database.query(KEPT) == []
    assert store.files == []


def test_a_mark_that_comes_meanwhile_keeps_the_day(store: Store) -> None:
    late = json.dumps(
        wire.line("stock_data", wire.trade("SPY", 7, t="2026-03-02T15:00:00Z"))
    )
    script = store.folder / "late.py"
    script.write_text(
        "import sys; from contextlib import closing;"
        "from ingest.database import connect; from ingest.writer import Writer;"
        "from ingest.recording import parse_line\n"
        f"Writer(connect()).write([parse_line({late}.encode())])\n"
    )
    done = store.archive(
        "2026-03-03", f"{quote(sys.executable)} {quote(str(script))} {{file}}"
    )
    assert "late marks of 2026-03-02 came" in done.failure
    assert store.database.query(KEPT) == []
    assert store.database.query("select count(*) from raw.marks") == [(22,)]


def test_a_long_query_is_not_waited_for_for_ever(store: Store) -> None:
    with closing(store.database.connect()) as reader:
        reader.cursor().execute("select count(*) from raw.marks")
        done = store.archive("2026-03-03")
    assert "in use by a long query" in done.failure
    assert store.database.query("select count(*) from raw.marks") == [(21,)]
    assert store.database.query(KEPT) == []


def test_killed_between_any_two_steps_it_loses_nothing(store: Store) -> None:
    """In the command, and before the drop, which waits for a reader."""
    marks = store.database.query(MARKS)
    flag = store.folder / "reached"
    waits_long = 'import sys, time; open(sys.argv[1], "w"); time.sleep(60)'
    slow = f"{quote(sys.executable)} -c {quote(waits_long)} {flag} {{file}}"
    _kill(store, slow, flag.exists)
    assert store.database.query(MARKS) == marks
    with closing(store.database.connect()) as reader:
        reader.cursor().execute("select count(*) from raw.marks")
        waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        _kill(
            store,
            f"cp {{file}} {store.folder}/archive/",
            lambda: store.database.query(waits) == [(1,)],
        )
    _until(lambda: store.database.query(waits) == [(0,)])
    assert store.database.query(MARKS) == marks
    assert store.database.query(KEPT) == []
    _until(lambda: store.archive("2026-03-03").status == 0)
    assert store.database.query(KEPT) == [("2026-03-02", 1, 7)]
    with gzip.open(store.folder / "archive" / "marks-2026-03-02-1.jsonl.gz") as file:
        assert len(file.readlines()) == 7


@pytest.mark.parametrize("name", ["nothing.gz", "strange.jsonl"])
def test_only_an_archived_file_is_restored(store: Store, name: str) -> None:
    (store.folder / "archive" / "strange.jsonl").write_text(recorded(DAYS[0])[0])
    failure = store.restore(name).failure
    assert "there is no file" in failure or "no file of an archived day" in failure


def _kill(store: Store, command: str, is_there: Callable[[], bool]) -> None:
    process = start(
        *("maintain", "--archive-before", "2026-03-03"),
        *("--archive-command", command),
        environment=store.environment(),
    )
    try:
        _until(is_there)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
