"""The lines of a file, or of a pipe that stays open, in batches with their numbers."""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator

import orjson

from ingest.errors import ExcursionError, UsageError
from ingest.recording import GZIP_MAGIC, read_numbered_lines

# A transaction holds at most this many lines, and a line waits at most this long for
# others; while nothing more comes, a fraction of it.
BATCH_LINES = 500
BATCH_SECONDS = 1.0
IDLE_SECONDS = 0.1

CHUNK_BYTES = 1 << 16

# After a signal what the pipe holds is read, from one that never pauses for this long.
DRAIN_SECONDS = 1.0

# A line and its number in the file or pipe, from 1.
Line = tuple[int, bytes]


class Stop:
    """SIGINT and SIGTERM as something to wait for beside a pipe.

    A signal only makes ``fd`` readable: what is being written to the database is
    written to its end.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.asked_at = 0.0

    def __enter__(self) -> Stop:
        self.fd, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._before = {
            number: signal.signal(number, self._ask)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_end)

    def wait(self, seconds: float) -> bool:
        """Whether it was asked for, now or within ``seconds``."""
        if not self.is_asked:
            select.select([self.fd], [], [], seconds)
        return self.is_asked

    def _ask(self, number: int, frame: object) -> None:
        if not self.is_asked:
            self.is_asked, self.asked_at = True, time.monotonic()
            os.write(self._write_end, b"!")


def is_stream() -> bool:
    """Whether standard input can make a reader wait."""
    return not stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)


def _is_cut(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return False


def filed(path: str, stop: Stop) -> Iterator[list[Line]]:
    """The lines of a file, plain or gzipped, in batches."""
    batch: list[Line] = []
    try:
        for line in read_numbered_lines(path):
            batch.append(line)
            if len(batch) == BATCH_LINES:
                yield batch
                batch = []
                if stop.is_asked:
                    return
    except ExcursionError:
        # A damaged file: what came before is written first.
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def piped(stop: Stop) -> Iterator[list[Line]]:
    """The lines of standard input in batches, as soon as a pause or the clock ends one.

    After a signal what is in the pipe already is read and no more; the half of a line
    that its writer was still at is then left to it.
    """
    source = sys.stdin.fileno()
    batch: list[Line] = []
    rest, begun, is_first, number = b"", 0.0, True, 0
    while True:
        timeout = None
        if batch:
            due = begun + BATCH_SECONDS - time.monotonic()
            timeout = max(0.0, min(IDLE_SECONDS, due))
        ready, _, _ = select.select(
            [source] if stop.is_asked else [source, stop.fd], [], [],
            0 if stop.is_asked else timeout,
        )  # fmt: skip
        chunk = os.read(source, CHUNK_BYTES) if source in ready else None
        if chunk and is_first and chunk.startswith(GZIP_MAGIC):
            raise UsageError("standard input is compressed: zcat FILE | ... -")
        is_first = is_first and chunk is None
        if chunk:
            *lines, rest = (rest + chunk).split(b"\n")
            if not batch:
                begun = time.monotonic()
            for number, line in enumerate(lines, number + 1):  # noqa: B020
                if stripped := line.strip():
                    batch.append((number, stripped))
        is_over = chunk == b"" or (
            stop.is_asked
            and (chunk is None or time.monotonic() - stop.asked_at >= DRAIN_SECONDS)
        )
        if chunk == b"" and rest.strip() and not (stop.is_asked and _is_cut(rest)):
            batch.append((number + 1, rest.strip()))
        while len(batch) >= BATCH_LINES:
            yield batch[:BATCH_LINES]
            batch, begun = batch[BATCH_LINES:], time.monotonic()
        is_due = chunk is None or time.monotonic() - begun >= BATCH_SECONDS
        if batch and (is_over or is_due):
            yield batch
            batch = []
        if is_over:
            return
