"""A spool whose process is killed: every durable line comes again, in order."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.spool import Spool
from tests.support.paths import ROOT

CHILD = ROOT / "tests" / "support" / "spool_child.py"


def start(folder: Path, first: int, step: str | None = None) -> subprocess.Popen[bytes]:
    arguments = [str(folder / "spool"), str(folder / "knows"), str(first)]
    return subprocess.Popen(
        [sys.executable, str(CHILD), *arguments, *([step] if step else [])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_killed(child: subprocess.Popen[bytes]) -> None:
    _, errors = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL, errors.decode()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def number_of_next_line(folder: Path) -> int:
    """Check what a killed process left behind; returns the number after the last."""
    known = {"durable": 0, "saved": 0, "done": 0}
    if (folder / "knows").exists():
        for report in (folder / "knows").read_text().splitlines():
            word, number = report.split()
            known[word] = max(known[word], int(number))
    with Spool(folder / "spool") as spool:
        lines: list[bytes] = []
        while batch := spool.read(5000, 0):
            lines += batch.lines
            assert sum(count for _, count in batch.groups) == len(batch.lines)
        assert spool.depth_bytes == sum(len(line) + 1 for line in lines)
    numbers = [int(line.split()[0]) for line in lines]
    for number, line in zip(numbers, lines, strict=True):
        assert line == b"%d %b" % (number, b"x" * (number * 7 % 90))
    if not numbers:
        assert known["saved"] >= known["durable"]
        return known["saved"] + 1
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert known["done"] < numbers[0] <= known["saved"] + 1
    assert numbers[-1] >= known["durable"]
    return numbers[-1] + 1


STEPS = [
    *(f"pwrite:{when}:{n}" for when in ("before", "half", "after") for n in (2, 40)),
    *(f"fdatasync:{when}:{n}" for when in ("before", "after") for n in (1, 30)),
    # rename: the cursor; unlink: a segment; fsync: the cursor or the folder.
    *(f"rename:{when}:{n}" for when in ("before", "after") for n in (1, 5)),
    *(f"unlink:{when}:{n}" for when in ("before", "after") for n in (1, 2)),
    *(f"fsync:{when}:{n}" for when in ("before", "after") for n in (1, 7)),
    *(f"ftruncate:{when}:{n}" for when in ("before", "after") for n in (2, 3)),
]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_planned_step(step: str, tmp_path: Path) -> None:
    wait_killed(start(tmp_path, 1, step))
    following = number_of_next_line(tmp_path)
    # Killed at the same step of the next life too, with the first one's remains.
    wait_killed(start(tmp_path, following, step))
    number_of_next_line(tmp_path)


def test_killed_at_random_instants_again_and_again(tmp_path: Path) -> None:
    following = 1
    for _ in range(15):
        child = start(tmp_path, following)
        deadline = time.monotonic() + 10
        before = size(tmp_path / "knows")
        while size(tmp_path / "knows") == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.1))
        child.kill()
        wait_killed(child)
        following = number_of_next_line(tmp_path)
    assert following > 100
