"""Long recordings are parsed by a process of their own, with the same result."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
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
import os, pathlib, time
from ingest import parsing
parsing.LINES_PARSED_HERE = 0
batches = parsing.parsed(iter([[b"1"], [b"2"], [b"3"]]))
next(batches), next(batches)
me = os.getpid()
print(pathlib.Path(f"/proc/{me}/task/{me}/children").read_text(), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second batch on."""
    monkeypatch.setattr(parsing, "LINES_PARSED_HERE", 1)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that parsing starts."""
    processes: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        processes.append(popen(*arguments, **named))
        return processes[-1]

    monkeypatch.setattr(parsing.subprocess, "Popen", start)
    return processes


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


def test_where_the_other_process_dies_it_says_what_to_do(
    started: list[subprocess.Popen[bytes]],
) -> None:
    found = parsing.parsed(iter([[b"1"], [b"2"], [b"3"], [b"4"]]))
    next(found), next(found)
    started[0].kill()
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


def test_it_is_ended_where_nobody_reads_on(
    started: list[subprocess.Popen[bytes]],
) -> None:
    found = parsing.parsed(iter([[b"1"], [b"2"], [b"3"]]))
    next(found), next(found)
    assert started[0].poll() is None
    found.close()
    assert started[0].poll() is not None


def test_a_module_of_the_folder_it_runs_in_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    assert len(list(parsing.parsed(iter([[b"1"], [b"2"], [b"3"]])))) == 3


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
