"""Filling and reading spools."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ingest.spool import Spool


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def read_durable(spool: Spool, max_bytes: int = 1 << 20) -> list[bytes]:
    lines: list[bytes] = []
    while batch := spool.read(max_bytes, 0):
        lines += batch.lines
    return lines


def read_all(spool: Spool, max_bytes: int = 1 << 20) -> list[bytes]:
    assert spool.flush(10)
    return read_durable(spool, max_bytes)


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.jsonl"))


def numbered(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


def fill(spool: Spool, first: int, last: int) -> None:
    """Append numbered lines, each its own group commit."""
    for line in numbered(first, last):
        spool.append(line + b"\n")
        assert spool.flush(10)
