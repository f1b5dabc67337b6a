"""Long recordings are parsed by a process of their own, with the same result."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ingest import batch, parsing
from ingest.batch import Batch
from ingest.errors import ExcursionError, UsageError
from ingest.recording import parse_line
from tests.support import wire
from tests.support.ingester import eventually
from tests.support.paths import SAMPLE

#: All that the sample has, what no parser can read, and nothing.
STRANGE = [
    b'{"from": "stock_data"',
    b"[]",
    b"\xff\xfe",
    *(
        wire.line("stock_data", message).encode()
        for message in (
            wire.quote(bid=0),
            wire.trade(),
            {"T": "success", "msg": "connected"},
            {"T": "b", "S": "SPY"},
        )
    ),
    wire.line("crypto_data", wire.quote("BTCUSD")).encode(),
]

#: A parent that starts the other process, says so and waits to be killed.
PARENT = """
import time
from ingest import parsing
parsing.LINES_PARSED_HERE = 0
batches = parsing.parsed(iter([[b"1"], [b"2"], [b"3"]]))
next(batches), next(batches)
print(batches.gi_frame.f_locals["parser"]._process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second batch on."""
    monkeypatch.setattr(parsing, "LINES_PARSED_HERE", 1)


def content(found: Batch) -> list[Any]:
    columns = {name: column.tolist() for name, column in found.observed.columns.items()}
    columns["symbol"] = [found.observed.symbols[n] for n in columns["symbol"]]
    return [found.others, found.observed.hints, repr(columns)]


def test_what_another_process_parses_is_the_same() -> None:
    with gzip.open(SAMPLE) as file:
        lines = [*STRANGE, *(line.strip() for line in file)]
    batches = [lines[start : start + 4_000] for start in range(0, len(lines), 4_000)]
    found = list(parsing.parsed(iter([STRANGE, *batches, STRANGE])))
    assert [count for count, _ in found] == [8, *map(len, batches), 8]
    for (_, told), sent in zip(found, [STRANGE, *batches, STRANGE], strict=True):
        here = batch.of_entries([parse_line(line) for line in sent])
        assert content(told) == content(here)
        assert told.entries() == here.entries()
    assert sum(len(told.observed) for _, told in found) > 29_000


def test_a_batch_without_marks_has_columns_of_none() -> None:
    found = batch.of_entries([replace(parse_line(b"[]"))])
    assert len(found.observed) == 0 and len(found.others) == 1
    assert found.observed.columns["symbol"].dtype == np.int64


def test_what_came_before_an_error_of_the_file_comes_first() -> None:
    def batches() -> Iterator[list[bytes]]:
        yield [b"1"]
        yield [b"2", b"2"]
        yield [b"3", b"3", b"3"]
        raise UsageError("it breaks off")

    counts: list[int] = []
    with pytest.raises(UsageError, match="it breaks off"):
        counts.extend(count for count, _ in parsing.parsed(batches()))
    assert counts == [1, 2, 3]


def test_where_the_other_process_dies_it_says_what_to_do() -> None:
    sent: list[list[bytes]] = [[b"1"], [b"2"], [b"3"], [b"4"]]
    found = parsing.parsed(iter(sent))
    next(found), next(found)
    os.kill(child_of(found), signal.SIGKILL)
    with pytest.raises(ExcursionError, match="run again, nothing is written twice"):
        list(found)


def test_it_ends_with_the_process_that_started_it() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)
    parent.kill()
    parent.communicate()
    eventually(lambda: is_running(child), False)


def test_it_is_ended_where_nobody_reads_on() -> None:
    found = parsing.parsed(iter([[b"1"], [b"2"], [b"3"]]))
    next(found), next(found)
    child = child_of(found)
    found.close()  # type: ignore[attr-defined]
    assert not is_running(child)


def child_of(found: Any) -> int:
    process: subprocess.Popen[bytes] = found.gi_frame.f_locals["parser"]._process
    return process.pid


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
