"""Recordings of real markets and of other engines' tests, and what must come out.

The expected rows were computed by programs that share nothing with this one. However
a recording is delivered, position_history comes out the same, in every column but
when the closing fill was received.
"""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import comparing, contents, dbt
from tests.support.postgres import Database, Server, replay

pytestmark = pytest.mark.shared

SESSIONS = [
    f"sessions/{name}" for name in ("equities_2013_10_07", "options_2014_06_05")
]
VECTORS = ["vectors/peers"]

RECORDINGS = pytest.mark.parametrize(
    "names", [SESSIONS, VECTORS], ids=["sessions", "vectors"]
)

PIECES = 10

Delivery = Callable[[list[str]], list[list[str]]]


def shuffled(lines: list[str]) -> list[list[str]]:
    mixed = list(lines)
    random.Random(6).shuffle(mixed)
    return [mixed]


def doubled(lines: list[str]) -> list[list[str]]:
    return [lines + lines]


def in_ten_replays(lines: list[str]) -> list[list[str]]:
    size = -(-len(lines) // PIECES)
    pieces = [lines[n : n + size] for n in range(0, len(lines), size)]
    assert len(pieces) == PIECES
    return pieces


def read(shared: Path, names: list[str]) -> list[str]:
    lines: list[str] = []
    for name in names:
        with gzip.open(shared / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            lines += file.read().splitlines()
    return lines


@RECORDINGS
def test_positions_are_the_expected_ones(
    names: list[str], shared: Path, database: Database, tmp_path: Path
) -> None:
    paths = [shared / f"{name}.jsonl.gz" for name in names]
    assert replay(database, paths, tmp_path).quarantined == 0
    dbt.build(database)
    for name in names:
        truth = shared / f"{name}.truth.csv"
        command: list[str | Path] = [
            *(sys.executable, shared / "check" / "compare_positions.py"),
            *(shared / f"{name}.expected.csv", "--dsn", database.url),
        ]
        done = subprocess.run(
            [*command, "--truth", truth] if truth.exists() else command,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip().endswith(" 0 differences")


@RECORDINGS
def test_positions_are_those_of_the_reference(
    names: list[str], shared: Path, database: Database, tmp_path: Path
) -> None:
    # In columns too that the expected rows do not have.
    lines = read(shared, names)
    replay(database, lines, tmp_path)
    dbt.build(database, comparing.MARTS, data_tests=False)
    got, want = comparing.built(database), comparing.expected(lines)
    told: list[str] = []
    for what, have, need in zip(("closed", "open"), got, want, strict=True):
        for lane in sorted(have.keys() | need.keys()):
            rows = have.get(lane, []), need.get(lane, [])
            told += [f"{lane}: {text}" for text in comparing.compare(what, *rows)]
    assert not told, "\n".join(told[:20])
    assert sum(map(len, got[0].values())) > 100


@RECORDINGS
def test_any_delivery_gives_the_same_position_history(
    names: list[str],
    shared: Path,
    server: Server,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    lines = read(shared, names)

    def positions(deliveries: list[list[str]]) -> list[tuple[str, str]]:
        with server.created() as database:
            for delivery in deliveries:
                replay(database, delivery, tmp_path)
            dbt.build(database, comparing.MARTS, data_tests=False)
            assert database.query("select reason from raw.quarantine") == []
            return contents.positions(database)

    plain = positions([lines])
    assert len(plain) > 100
    for delivered in (shuffled, doubled, in_ten_replays):
        with subtests.test(delivered.__name__):
            assert positions(delivered(lines)) == plain
