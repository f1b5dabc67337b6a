"""Parsing the lines of long recordings in a process of its own.

Python runs one thread at a time: in a process of its own the next batch is parsed while
this one writes. Batches cross over pipes, their marks as columns. The process ends when
the one that started it does, however that ends.
"""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

from ingest import batch
from ingest.batch import Batch
from ingest.errors import ExcursionError
from ingest.recording import parse_line

# A process takes a third of a second to begin: it pays after so many lines.
LINES_PARSED_HERE = 60_000

_LENGTH_BYTES = 8


def parsed(
    batches: Iterator[list[bytes]],
) -> Generator[tuple[int, Batch], None, None]:
    """Each batch with the number of its lines; the next is parsed in the meantime.

    One batch ahead, so that memory stays bounded. An error of ``batches`` is raised
    after what came before it.
    """
    here = 0
    for lines in batches:
        yield len(lines), batch.of_entries([parse_line(line) for line in lines])
        here += len(lines)
        if here >= LINES_PARSED_HERE:
            break
    with _Parser() as parser:
        yield from parser.parsed(batches)


class _Parser:
    """The other process, started with the first batch that there is for it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Parser:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def parsed(self, batches: Iterator[list[bytes]]) -> Iterator[tuple[int, Batch]]:
        ahead: list[bytes] = []
        try:
            for lines in batches:
                ready = self._received(ahead) if ahead else None
                # Not before: it reads nothing while it has something to tell.
                self._send(lines)
                ahead, done = lines, ahead
                if ready is not None:
                    yield len(done), ready
        except ExcursionError:
            # A file cannot be read (on). What came before it is written first.
            if ahead:
                yield len(ahead), self._received(ahead)
            raise
        if ahead:
            yield len(ahead), self._received(ahead)

    def _send(self, lines: Sequence[bytes]) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                # Not what the user's own folder holds: a json.py there is not ours.
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C is for the writer, which ends it.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        try:
            # No line holds a line feed.
            _write(self._process.stdin, b"\n".join(lines))
        except BrokenPipeError:
            raise _ended() from None

    def _received(self, lines: Sequence[bytes]) -> Batch:
        assert self._process is not None and self._process.stdout is not None
        data = _read(self._process.stdout)
        if data is None:
            raise _ended()
        # What our own code wrote, over a pipe of our own.
        return batch.of_lines(lines, pickle.loads(data))  # noqa: S301


def _ended() -> ExcursionError:
    return ExcursionError(
        "the process that parses the recording ended early: run again, nothing is"
        " written twice"
    )


def _write(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(_LENGTH_BYTES))
    stream.write(data)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    length = stream.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    data = stream.read(expected := int.from_bytes(length))
    return data if len(data) == expected else None


def _answer(requests: IO[bytes], answers: IO[bytes]) -> None:
    while (data := _read(requests)) is not None:
        entries: list[Any] = [parse_line(line) for line in data.split(b"\n")]
        _write(answers, pickle.dumps(batch.sorted_out(entries), protocol=5))


if __name__ == "__main__":
    # Entries and facts refer to each other in no cycle and are freed without the
    # collector; its searches among those of a batch took a third of the time.
    gc.set_threshold(500_000)
    with suppress(BrokenPipeError):
        _answer(sys.stdin.buffer, sys.stdout.buffer)
