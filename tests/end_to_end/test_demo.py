"""`excursion demo` and `excursion docs`, as a newcomer runs them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support import wire
from tests.support.paths import ROOT
from tests.support.postgres import Database, replay

#: Everything that a second run could have moved.
CONTENTS = """
    select
        (select count(*) from raw.fills),
        (select count(*) from raw.alpaca_event_dedupe),
        (select max(ingested_at) from raw.orders),
        (select count(*) from raw.quarantine),
        (
            select md5(string_agg(history::text, '' order by id))
            from analytics.position_history as history
        ),
        (
            select md5(string_agg(stats::text, '' order by stats::text))
            from analytics.strategy_stats as stats
        )
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def start(database: Database, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = database.environment(
        DBT_TARGET_PATH=str(folder / "target"), DBT_LOG_PATH=str(folder / "logs")
    )
    return subprocess.Popen(
        [sys.executable, "-m", "ingest.cli", *arguments],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(database: Database, folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(database, folder, *arguments)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_a_newcomer_sees_answers_and_a_second_run_changes_nothing(
    empty_database: Database, folder: Path
) -> None:
    status, out, err = run(empty_database, folder, "demo")
    assert status == 0, out + err
    assert "generated, not real" in out.splitlines()[0]
    for seen in ("new facts", "Top of analytics.strategy_stats", "Open positions"):
        assert seen in out
    for next_step in ("stats", "verify", "make dev", "make docs", "README.md"):
        assert next_step in out.partition("Where to look next")[2]
    # Only the embedded database can be emptied so.
    assert "db reset" not in out
    assert '1 warning: "exit reason texts are mapped" is not true of 1 row' in out
    assert not [line for line in out.splitlines() if line != line.rstrip()]
    assert "\x1b" not in out and "…" not in out
    tables = out.partition("What the bots")[2].partition("Where to look next")[0]
    assert max(len(line.rstrip()) for line in tables.splitlines()) <= 80
    before = empty_database.query(CONTENTS)

    started = time.monotonic()
    status, out, err = run(empty_database, folder, "demo")
    assert status == 0, out + err
    assert time.monotonic() - started < 60
    assert out.count("nothing new") == 3
    assert empty_database.query(CONTENTS) == before

    status, out, err = run(empty_database, folder, "verify")
    assert status == 0, out + err
    assert out.count("PASS ") == len(out.splitlines())


def test_two_at_once_both_show_the_same(empty_database: Database, folder: Path) -> None:
    processes = [start(empty_database, folder, "demo") for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    shown: list[Any] = [out.partition("What the bots")[2] for out, _ in outputs]
    assert shown[0] == shown[1] != ""


def test_generated_trades_do_not_mix_with_somebodys_own(
    database: Database, folder: Path
) -> None:
    # An account of the sample's name is not the sample.
    own = wire.line("trade_updates", wire.frame(), account="momentum")
    replay(database, [own], folder)
    status, out, err = run(database, folder, "demo")
    assert status == 1 and "generated, not real" in out
    assert (
        err.count("\n") == 1 and "must not mix" in err and "database of its own" in err
    )
    assert database.query("select count(*) from raw.fills") == [(1,)]


def test_tables_of_somebody_else_are_left_alone(
    empty_database: Database, folder: Path
) -> None:
    empty_database.execute("create schema analytics")
    empty_database.execute("create table analytics.position_history (id int)")
    status, _, err = run(empty_database, folder, "demo")
    assert status == 1 and "did not make" in err
    assert empty_database.query("select to_regclass('raw.fills')") == [(None,)]


def test_a_failing_build_shows_what_dbt_said(
    empty_database: Database, folder: Path
) -> None:
    status, out, err = run(empty_database, folder, "migrate")
    assert status == 0, out + err
    # Something else has the name of a view that dbt is about to make.
    empty_database.execute("create schema analytics_staging")
    empty_database.execute(
        "create type analytics_staging.stg_alpaca__orders as (x int)"
    )
    status, out, err = run(empty_database, folder, "demo")
    assert status == 1
    assert "`.venv/bin/dbt build" in err and "failed" in err and err.count("\n") == 1
    assert "stg_alpaca__orders" in out and "Traceback" not in out + err
    assert " SKIP " not in out


def test_docs_are_one_file(empty_database: Database, folder: Path) -> None:
    status, out, err = run(empty_database, folder, "docs")
    assert status == 0, out + err
    url = urlsplit(out.partition(" (")[0])
    assert url.scheme == "file"
    page = Path(unquote(url.path))
    assert page == folder / "target" / "static_index.html"
    assert "position_history" in page.read_text(encoding="utf-8")


def test_docs_need_a_database_that_answers(folder: Path) -> None:
    gone = Database(f"postgresql:///gone?host={folder}", "gone")
    said = [run(gone, folder, command) for command in ("docs", "verify")]
    assert said[0] == said[1]
    assert said[0][0] == 1 and said[0][2].count("\n") == 1


def test_help_is_in_whole_sentences(empty_database: Database, folder: Path) -> None:
    for group in ([], ["db"]):
        status, out, err = run(empty_database, folder, *group, "--help")
        assert status == 0, err
        listed = out.partition("Commands:\n")[2].splitlines()
        assert len(listed) > 5
        assert all(line.endswith(".") and "..." not in line for line in listed)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "excursion"),
        (["db", "nonsense"], "excursion db"),
        (["replay"], "excursion replay"),
        (["stats", "--nonsense"], "excursion stats"),
    ],
)
def test_a_usage_error_says_where_the_help_is(
    empty_database: Database, folder: Path, arguments: list[str], told: str
) -> None:
    status, out, err = run(empty_database, folder, *arguments)
    assert (status, out) == (2, "")
    assert err.endswith(f"; see `{told} --help`\n") and err.count("\n") == 1
