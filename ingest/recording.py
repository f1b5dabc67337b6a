"""Reading recordings: JSON Lines, plain, gzipped or from standard input.

One line becomes an Entry: the facts that it states, or the reason why it states none.
Nothing is dropped: what cannot be read comes out as an Entry with a problem.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

import orjson

from ingest import messages, values
from ingest.errors import ExcursionError, UsageError
from ingest.facts import Fact, UnreadableError
from ingest.messages import MARKET_DATA, market_data

GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line is no fact: a machine-readable code and a line for a person."""

    code: str
    reason: str


@dataclass(slots=True)
class Entry:
    """One line of a recording.

    ``raw`` is the line as it stood there; ``received_at`` the recorder's clock, None
    where the line could not be read that far, and for market data, which does not
    need it.
    """

    raw: bytes
    received_at: datetime | None
    channel: str | None
    account_name: str | None
    facts: list[Fact]
    problem: Problem | None = None

    @property
    def line(self) -> str:
        """The line as text that a database can hold."""
        return self.raw.decode("utf-8", errors="replace").replace("\x00", "\ufffd")


class TruncatedRecordingError(ExcursionError):
    """The compressed file ends early; what came before was handed out."""


def read_entries(path: str) -> Iterator[Entry]:
    """The entries of a recording in file order; raises what read_lines raises."""
    return map(parse_line, read_lines(path))


def read_lines(path: str) -> Iterator[bytes]:
    """The lines of a recording that are not empty. ``-`` is standard input.

    Raises UsageError where there is no such file, TruncatedRecordingError after the
    last readable line of a damaged .gz.
    """
    for _, line in read_numbered_lines(path):
        yield line


def read_numbered_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """As read_lines, each line with its number in the file, from 1."""
    with _opened(path) as stream:
        yield from _lines(stream, path)


def parse_line(raw: bytes) -> Entry:
    """One line to an Entry; never raises."""
    received_at = channel = account = None
    try:
        try:
            envelope = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise UnreadableError("not_json", _not_json(error)) from None
        if type(envelope) is not dict:
            raise UnreadableError("bad_shape", "the line is not a JSON object")
        said, message = envelope.get("from"), envelope.get("msg")
        if type(message) is dict and type(said) is str and said in MARKET_DATA:
            # Nearly every line: straight to its parser.
            channel = said
            mark = market_data.mark(message)
            return Entry(raw, None, channel, None, [] if mark is None else [mark])
        channel = values.required_text(said, "from")
        if channel not in MARKET_DATA:
            received_at = values.required_instant(envelope.get("at"), "at")
            account = values.text(envelope.get("account"), "account")
            # Money is never read as a float: once more, with numbers as decimals.
            message = json.loads(raw, parse_float=Decimal).get("msg")
        facts = messages.parse(channel, account, message)
    except UnreadableError as error:
        problem = Problem(error.code, str(error))
        return Entry(raw, received_at, channel, account, [], problem)
    except Exception as error:  # noqa: BLE001
        # A shape that nobody thought of. It must not stop the other messages.
        problem = Problem("unexpected_shape", f"{type(error).__name__}: {error}")
        return Entry(raw, received_at, channel, account, [], problem)
    return Entry(raw, received_at, channel, account, facts)


def _not_json(error: orjson.JSONDecodeError) -> str:
    # A line is one line: the parser's "line 1" would be taken for the file's.
    return f"not JSON: {error.msg}, at column {error.colno}"


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        stream: IO[bytes] = sys.stdin.buffer
    else:
        try:
            stream = Path(path).open("rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            raise UsageError(f"there is no recording {path}") from None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
    with stream:
        magic = stream.peek(2)[:2] if hasattr(stream, "peek") else b""
        if magic == GZIP_MAGIC:
            with gzip.open(stream) as unzipped:
                yield cast(IO[bytes], unzipped)
        else:
            yield stream


def _lines(stream: Any, path: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            stripped = line.strip()
            if stripped:
                yield number, stripped
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TruncatedRecordingError(
            f"{path} is damaged after line {number:,} ({error}); what came before it is"
            " written: get a whole copy and replay it, nothing is written twice"
        ) from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a recording") from None
