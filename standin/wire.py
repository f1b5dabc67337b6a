"""How Alpaca spells instants, numbers and activity ids. No I/O."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgpack

from standin.clock import NEW_YORK

OCC_SYMBOL = re.compile(r"[A-Z]{1,5}\d?\d{6}[CP]\d{8}")
INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)"
)
NAMESPACE = uuid.UUID("5b0d8c1e-6d0f-5b53-9d0c-6d1a6b6d9a11")


@lru_cache(maxsize=4096)
def _epoch_seconds(text: str, offset: str) -> int:
    zone = "+00:00" if offset == "Z" else offset
    return int(datetime.fromisoformat(text + zone).timestamp())


def nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 instant; ValueError where it is none."""
    match = INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an instant: {text!r}")
    whole, fraction, offset = match.groups()
    return _epoch_seconds(whole, offset) * 1_000_000_000 + int(
        (fraction or "").ljust(9, "0")
    )


def instant(value: Any) -> datetime | None:
    """The instant that a field holds, cut to microseconds, or None."""
    if not isinstance(value, str):
        return None
    try:
        whole = nanoseconds(value)
    except ValueError:
        return None
    return datetime.fromtimestamp(whole // 1_000_000_000, UTC) + timedelta(
        microseconds=whole % 1_000_000_000 // 1000
    )


def iso(moment: datetime) -> str:
    """Microseconds without trailing zeros and ``Z``, as REST writes instants."""
    moment = moment.astimezone(UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def bound(value: str) -> datetime | None:
    """A filter's instant; a bare date means its midnight in New York."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        pass
    else:
        return datetime.combine(day, time_of_day(), NEW_YORK)
    # A + that a client did not escape arrives as a space.
    return instant(re.sub(r" (\d\d:?\d\d)$", r"+\1", value))


def activity_id(moment: datetime, execution_id: str) -> str:
    """New York's wall clock to the millisecond, ``::`` and a uuid."""
    local = moment.astimezone(NEW_YORK)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{execution_id}"


def decimal(value: Any) -> Decimal | None:
    """The exact number of a wire value, or None where it holds none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def plain(number: Decimal) -> str:
    """A number as Alpaca writes it: at most 9 decimals, no trailing zeros."""
    rounded = round(number, 9)
    return "0" if rounded == 0 else format(rounded.normalize(), "f")


def stable_uuid(*parts: object) -> str:
    """The same uuid whenever the same parts are given."""
    return str(uuid.uuid5(NAMESPACE, ":".join(map(str, parts))))


def asset_class(symbol: str) -> str:
    if OCC_SYMBOL.fullmatch(symbol):
        return "us_option"
    return "crypto" if "/" in symbol else "us_equity"


def packed(message: Any) -> bytes:
    """One element of a data frame, its ``t`` as a msgpack Timestamp.

    What is no instant stays as it is, so that faulty messages can be sent, too.
    """
    if isinstance(message, dict):
        moment = message.get("t")
        if isinstance(moment, datetime):
            moment = iso(moment)
        if isinstance(moment, str):
            try:
                whole = nanoseconds(moment)
            except ValueError:
                pass
            else:
                message = {
                    **message,
                    "t": msgpack.Timestamp(*divmod(whole, 1_000_000_000)),
                }
    body: bytes = msgpack.packb(message)
    return body


def packed_frame(elements: list[bytes]) -> bytes:
    """Packed elements as one array, without packing them again."""
    header: bytes = msgpack.Packer().pack_array_header(len(elements))
    return header + b"".join(elements)
