"""A replay that is killed at any instant and run again loses and repeats nothing."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time

import pytest

from tests.support import contents
from tests.support.command import PATIENCE, excursion, start
from tests.support.paths import SAMPLE
from tests.support.postgres import Database, Server

#: Each round starts from an empty database and is killed a few times.
ROUNDS = 4
KILLS = 4

#: The program in batches so small that a kill falls between or into any of dozens of
#: transactions, most of them parsed by a process of its own, as those of a long
#: recording.
IN_SMALL_BATCHES = """
import ingest.parsing
import ingest.replay
from ingest.cli import main
ingest.parsing.LINES_PARSED_HERE = 4_000
ingest.replay.BATCH_LINES = 1_000
main()
"""


@pytest.fixture(scope="module")
def whole(server: Server) -> tuple[dict[str, str], float]:
    """What an uninterrupted replay leaves behind, and how long it takes."""
    with server.created() as database:
        started = time.monotonic()
        process = start(
            "replay", SAMPLE, environment=database.environment(), code=IN_SMALL_BATCHES
        )
        _, err = process.communicate(timeout=PATIENCE)
        seconds = time.monotonic() - started
        assert process.returncode == 0, err
        return contents.raw(database), seconds


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_any_instant_and_run_again_it_ends_the_same(
    number: int, whole: tuple[dict[str, str], float], database: Database
) -> None:
    complete, seconds = whole
    instants = random.Random(number)
    killed = seen = 0
    for _ in range(KILLS):
        process = start(
            "replay", SAMPLE, environment=database.environment(), code=IN_SMALL_BATCHES
        )
        try:
            # From before it connects to its last words.
            process.wait(timeout=instants.uniform(0.1, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate(timeout=PATIENCE)
        assert process.returncode in (0, -signal.SIGKILL)
        _wait_until_alone(database)
        [(count,)] = database.query("select count(*) from raw.fills")
        assert count >= seen, "what was committed stays"
        seen = count
    assert killed
    ended = excursion("replay", SAMPLE, environment=database.environment())
    assert ended.status == 0, ended.err
    assert contents.raw(database) == complete


def test_replaying_again_writes_nothing(
    whole: tuple[dict[str, str], float], database: Database
) -> None:
    complete, _ = whole
    environment = database.environment()
    assert excursion("replay", SAMPLE, environment=environment).status == 0
    versions = "select max(xmin::text::bigint) from raw.{}"
    tables = ("fills", "orders", "marks", "alpaca_event_dedupe", "account_activities")
    before = [database.query(versions.format(table)) for table in tables]
    again = excursion("replay", SAMPLE, environment=environment)
    assert again.status == 0, again.err
    written = re.findall(r"([\d,]+) written", again.out)
    assert len(written) > 3 and set(written) == {"0"}, again.out
    # Not a row was even touched.
    assert [database.query(versions.format(table)) for table in tables] == before
    assert contents.raw(database) == complete


def _wait_until_alone(database: Database) -> None:
    """Until the server has noticed that the client is gone, and rolled back."""
    deadline = time.monotonic() + PATIENCE
    others = (
        "select pid from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
        " and backend_type = 'client backend'"
    )
    while database.query(others):
        assert time.monotonic() < deadline
        time.sleep(0.02)
