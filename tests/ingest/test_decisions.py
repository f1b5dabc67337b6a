"""``excursion record-decisions``: files and pipes, to the end or until a signal."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ingest.decision_lines import BATCH_LINES
from tests.support import wire
from tests.support.command import excursion, start
from tests.support.paths import ROOT
from tests.support.postgres import Database, Server

PATIENCE = 20


def uuid(number: int) -> str:
    return f"{number:08x}-6fc8-40d2-982c-ba01600a6732"


def recommendation(number: int, **fields: Any) -> str:
    return json.dumps(wire.recommendation(recommendation_id=uuid(number), **fields))


def execution(number: int, **fields: Any) -> str:
    return json.dumps(wire.execution(execution_uuid=uuid(number), **fields))


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def count(database: Database, table: str = "dispatch_executions") -> int:
    [(rows,)] = database.query(f"select count(*) from raw.{table}")  # noqa: S608
    return int(rows)


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


LINES = [
    recommendation(1),
    recommendation(2, features_snapshot=None),
    recommendation(3, features_snapshot=None),
    recommendation(3, features_snapshot={"iv_rank": 1}),
    execution(1, alpaca_order_id=None),
    execution(1),
    # As it stands in a recording.
    wire.line("dispatch", wire.execution(execution_uuid=uuid(2))),
]


def test_a_file_is_written_once_and_what_is_missing_is_said(
    database: Database, tmp_path: Path
) -> None:
    path = written(tmp_path / "decisions.jsonl", *LINES)
    first = excursion("record-decisions", path, environment=database.environment())
    assert first.status == 0, first.err
    assert [" ".join(line.split()) for line in first.out.splitlines()[1:]] == [
        "recommendation 3 written 1 filled in 0 duplicate",
        "execution 2 written 1 filled in 0 duplicate",
        "accepted without features_snapshot: 1",
    ]
    rows = database.query(
        "select execution_uuid::text, alpaca_order_id, xmin::text"
        " from raw.dispatch_executions order by 1"
    )
    assert [row[:2] for row in rows] == [(uuid(1), "order-1"), (uuid(2), "order-1")]

    zipped = tmp_path / "decisions.jsonl.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    second = excursion("record-decisions", zipped, environment=database.environment())
    assert second.status == 0
    assert second.out.count(" 0 written ") == 2
    assert second.out.count(" 0 filled in ") == 2
    assert rows == database.query(
        "select execution_uuid::text, alpaca_order_id, xmin::text"
        " from raw.dispatch_executions order by 1"
    )


def test_what_cannot_be_written_is_told_and_the_rest_is(
    database: Database, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "decisions.jsonl",
        execution(1, strategy_type="yolo"),
        execution(2),
        execution(2, intent="exit"),
        "{ not JSON",
        json.dumps({"execution_uuid": uuid(3)}),
        wire.line("trade_updates", wire.frame()),
        wire.line("stock_data", wire.quote()),
        wire.line("stock_data", wire.quote()),
    )
    for _ in range(2):
        ended = excursion("record-decisions", path, environment=database.environment())
        assert ended.status == 1
        *told, last = ended.err.splitlines()
        assert last == "excursion: 7 of 8 lines were not written: see above"
        assert [line.partition(":")[0] for line in sorted(told)] == [
            *(f"quarantined line {number}" for number in (1, 3, 4, 5)),
            *(f"refused line {number}" for number in (6, 7)),
        ]
        assert "line 1: unknown strategy_type: yolo" in ended.err
        # Where in the line, not in which: that is said already.
        assert re.search(r"line 4: not JSON: [^:]*, at column 3: ", ended.err)
        # A second time writes nothing, here neither.
        assert count(database) == 1
        assert sorted(database.query("select reason_code from raw.quarantine")) == [
            ("bad_shape",),
            ("contradicts_stored_dispatch",),
            ("not_json",),
            ("unknown_strategy_type",),
        ]
    # As it came, without the envelope that it was read in.
    assert database.query(
        "select message from raw.quarantine where reason_code = 'unknown_strategy_type'"
    ) == [(execution(1, strategy_type="yolo"),)]
    assert database.query("select count(*) from raw.fills") == [(0,)]
    assert "refused 2 of stock_data" in " ".join(ended.out.split())


def test_an_unknown_column_is_told_and_its_row_is_kept(
    database: Database, tmp_path: Path
) -> None:
    path = written(
        tmp_path / "decisions.jsonl",
        execution(1, exit_reson="stop"),
        "",
        wire.line(
            "dispatch", wire.execution(execution_uuid=uuid(2), exit_reson=1, x=1)
        ),
        recommendation(3, exit_reson=None),
        execution(4, exit_reson="stop", strategy_type="yolo"),
    )
    ended = excursion("record-decisions", path, environment=database.environment())
    assert ended.status == 1
    *told, last = ended.err.splitlines()
    assert [line for line in told if not line.startswith("quarantined line 5: ")] == [
        "line 1: dispatch_executions has no column exit_reson, so it is not kept,"
        " did you mean exit_reason?",
        "line 3: dispatch_executions has no column x, so it is not kept",
        "line 4: dispatch_recommendations has no column exit_reson, so it is not kept",
    ]
    assert last == (
        "excursion: 1 of 4 lines was not written: see above; columns that are not known"
        " were not kept (exit_reson (3 rows), x (1 row)): correct their names and send"
        " the rows again"
    )
    assert "not known, so not kept: exit_reson (3 rows), x (1 row)\n" in ended.out
    assert (count(database), count(database, "dispatch_recommendations")) == (2, 1)

    # What it advises works.
    corrected = [execution(1, exit_reason="stop"), execution(2, exit_reason="stop")]
    path = written(path, *corrected)
    again = excursion("record-decisions", path, environment=database.environment())
    assert again.status == 0, again.err
    assert again.out.startswith("2 lines in ")
    assert "2 filled in" in " ".join(again.out.split())


def test_of_a_pipe_every_line_is_told_of_a_file_the_first_ones(
    database: Database, tmp_path: Path
) -> None:
    environment = database.environment()
    path = written(tmp_path / "decisions.jsonl", *("{" * n for n in range(1, 13)))
    of_a_file = excursion("record-decisions", path, environment=environment)
    *told, last = of_a_file.err.splitlines()
    assert [line.partition(":")[0] for line in told] == [
        f"quarantined line {number}" for number in range(1, 11)
    ]
    assert last == (
        "excursion: 12 of 12 lines were not written: see above, the rest is in"
        " raw.quarantine"
    )
    process = start(
        "record-decisions", "-", environment=environment, stdin=subprocess.PIPE
    )
    _, err = process.communicate("\n" + path.read_text(), timeout=PATIENCE)
    *told, last = err.splitlines()
    assert [line.partition(":")[0] for line in told] == [
        f"quarantined line {number}" for number in range(2, 14)
    ]
    assert last == "excursion: 12 of 12 lines were not written: see above"


def test_one_line_is_singular_and_an_unknown_table_is_named(
    database: Database, tmp_path: Path
) -> None:
    path = written(tmp_path / "decisions.jsonl", '{"table": "fills", "row": {}}')
    ended = excursion("record-decisions", path, environment=database.environment())
    assert ended.out.startswith("1 line in ")
    told, last = ended.err.splitlines()
    assert told.startswith("quarantined line 1: unknown table fills: {")
    assert last == "excursion: 1 of 1 line was not written: see above"


def test_the_examples_of_the_page_go_together(
    database: Database, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "dispatcher.md").read_text(encoding="utf-8")
    _, inserts, _ = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    [line] = re.findall(r"```json\n(.*?)\n```", page, re.DOTALL)
    database.execute(inserts)
    path = written(tmp_path / "decisions.jsonl", line)
    ended = excursion("record-decisions", path, environment=database.environment())
    assert ended.status == 0, ended.err
    assert count(database) == 2


def test_a_missing_file_is_one_line(database: Database, tmp_path: Path) -> None:
    ended = excursion(
        "record-decisions", tmp_path / "none", environment=database.environment()
    )
    assert ended.status == 2
    assert ended.failure.startswith("there is no recording")


@pytest.fixture
def pipe(database: Database) -> Iterator[subprocess.Popen[str]]:
    process = start(
        "record-decisions",
        "-",
        environment=database.environment(),
        stdin=subprocess.PIPE,
    )
    yield process
    process.kill()
    process.communicate()


def say(pipe: subprocess.Popen[str], text: str) -> None:
    assert pipe.stdin is not None
    pipe.stdin.write(text)
    pipe.stdin.flush()


def ended(pipe: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed, once it has ended by itself with 0."""
    out, err = pipe.communicate(timeout=PATIENCE)
    assert pipe.returncode == 0, err
    return " ".join(out.split()), err


def test_a_pipe_that_stays_open_is_committed_as_it_speaks(
    pipe: subprocess.Popen[str], database: Database
) -> None:
    say(pipe, execution(1) + "\n" + execution(2)[:40])
    wait_for(lambda: count(database) == 1)
    # The line that was cut by the pipe goes on where it stopped.
    say(pipe, execution(2)[40:] + "\n")
    wait_for(lambda: count(database) == 2)
    # The last line of an input needs no end.
    say(pipe, execution(3))
    out, _ = ended(pipe)
    assert count(database) == 3
    assert "execution 3 written" in out


def test_a_pipe_without_a_pause_is_committed_all_the_same(
    pipe: subprocess.Popen[str], database: Database
) -> None:
    """A line every few milliseconds, never as many as make a batch."""
    said = 0
    deadline = time.monotonic() + PATIENCE
    while not count(database):
        said += 1
        say(pipe, execution(said) + "\n")
        time.sleep(0.005)
        assert time.monotonic() < deadline
    assert said < BATCH_LINES
    ended(pipe)
    assert count(database) == said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_commits_what_was_read(
    pipe: subprocess.Popen[str], database: Database, number: signal.Signals
) -> None:
    say(pipe, execution(1) + "\n")
    wait_for(lambda: count(database) == 1)
    # What is in the pipe at that moment counts as read, but for half a line.
    say(pipe, "".join(execution(n) + "\n" for n in range(2, 1500)) + '{"table"')
    pipe.send_signal(number)
    out, err = ended(pipe)
    assert err == ""
    assert count(database) == 1499
    assert "1,499 lines" in out
    assert count(database, "quarantine") == 0


def test_a_pipe_outlives_its_database(
    pipe: subprocess.Popen[str], database: Database, server: Server
) -> None:
    """Nothing that was said while the database was away is lost."""
    say(pipe, execution(1) + "\n")
    wait_for(lambda: count(database) == 1)
    with psycopg2.connect(server.url("postgres")) as administrator:
        administrator.autocommit = True
        with administrator.cursor() as cursor:
            name = f'"{database.name}"'
            cursor.execute(f"alter database {name} allow_connections false")
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = %s",
                (database.name,),
            )
            say(pipe, execution(2) + "\n")
            assert pipe.stderr is not None
            told = pipe.stderr.readline()
            assert told.startswith("waiting for the database to come back: ")
            assert "run again" not in told
            say(pipe, execution(3) + "\n")
            cursor.execute(f"alter database {name} allow_connections true")
    administrator.close()
    wait_for(lambda: count(database) == 3)
    ended(pipe)


def test_a_compressed_pipe_is_refused(database: Database) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "ingest.cli", "record-decisions", "-"],
        input=gzip.compress(b"{}"),
        env=database.environment(),
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert process.returncode == 2
    assert b"compressed" in process.stderr
