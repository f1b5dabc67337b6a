"""What comes off the wire as lines of a recording (docs/recordings.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from msgpack import Timestamp

_LINE_BREAKS = str.maketrans({"\n": " ", "\r": " "})


def instant(now: datetime) -> str:
    """A clock's reading as recordings spell it: UTC with microseconds."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def line(
    channel: str, message: Any, account: str | None, now: datetime | None = None
) -> bytes:
    """A message that was decoded already; what JSON cannot say becomes text."""
    return prefix(channel, account, now) + encoded(message) + b"}\n"


def line_of_text(channel: str, text: str, is_json: bool, account: str | None) -> bytes:
    """A frame exactly as it came; one that is not JSON becomes a JSON text."""
    # A line break in JSON can only be white space between its parts.
    body = text.translate(_LINE_BREAKS).encode() if is_json else orjson.dumps(text)
    return prefix(channel, account) + body + b"}\n"


def prefix(channel: str, account: str | None, now: datetime | None = None) -> bytes:
    at = instant(now or datetime.now(UTC))
    said = f',"account":{orjson.dumps(account).decode()}' if account else ""
    return f'{{"at":"{at}","from":"{channel}"{said},"msg":'.encode()


def encoded(message: Any) -> bytes:
    return orjson.dumps(message, default=_text, option=orjson.OPT_NON_STR_KEYS)


_seconds: dict[int, str] = {}


def timestamp(t: Timestamp) -> str:
    """A msgpack timestamp with all of its nanoseconds."""
    prefix = _seconds.get(t.seconds)
    if prefix is None:
        if len(_seconds) > 1000:
            _seconds.clear()
        prefix = datetime.fromtimestamp(t.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        _seconds[t.seconds] = prefix
    return f"{prefix}{t.nanoseconds:09d}Z"


def _text(value: Any) -> str:
    if isinstance(value, Timestamp):
        return timestamp(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
