"""Reading single values off the wire: decimals, instants, ids, symbols. No I/O."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from ingest.facts import Instrument, UnreadableError

# Alpaca's back end is written in Go, whose zero time is the year 1: an instant before
# the broker existed is a missing value, not an observation.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

# A day has a partition, which ends where the next day begins: the last has no next.
LATEST = datetime(9999, 12, 31, tzinfo=UTC)

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OCC_SYMBOL = re.compile(r"([A-Z]{1,5})(\d?)(\d{2})(\d{2})(\d{2})([CP])(\d{8})")


def decimal(value: Any, name: str) -> Decimal | None:
    """The exact decimal of a wire value (a string or a JSON number), or None.

    Raises UnreadableError for what is no finite number of at most 20 digits before and
    after the point, so that one absurd value cannot stop a batch in the database.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableError("bad_number", f"{name} is not a number: {value!r}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnreadableError(
            "bad_number", f"{name} is not a number: {value!r}"
        ) from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -20 or number.adjusted() > 20:
        raise UnreadableError("bad_number", f"{name} is out of range: {value!r}")
    return number


def required_decimal(value: Any, name: str) -> Decimal:
    number = decimal(value, name)
    if number is None:
        raise UnreadableError("missing_field", f"{name} is missing")
    return number


def instant(value: Any, name: str) -> datetime | None:
    """The instant in UTC, nanoseconds cut off (never rounded) to microseconds."""
    if value is None or value == "":
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnreadableError(
            "bad_instant", f"{name} is not an instant: {value!r}"
        ) from None
    if parsed.tzinfo is None:
        raise UnreadableError("bad_instant", f"{name} has no time zone: {value!r}")
    if parsed.tzinfo is not UTC:
        parsed = parsed.astimezone(UTC)
    if parsed < EARLIEST:
        raise UnreadableError("bad_instant", f"{name} is before 2000: {value!r}")
    if parsed >= LATEST:
        raise UnreadableError("bad_instant", f"{name} is after any day: {value!r}")
    return parsed


def required_instant(value: Any, name: str) -> datetime:
    parsed = instant(value, name)
    if parsed is None:
        raise UnreadableError("missing_field", f"{name} is missing")
    return parsed


def calendar_date(value: Any, name: str) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UnreadableError("bad_date", f"{name} is not a date: {value!r}") from None


def text(value: Any, name: str) -> str | None:
    """A non-empty string, or None where the field is absent, null or empty."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise UnreadableError("bad_text", f"{name} is not a text: {value!r}")
    if "\x00" in value:
        raise UnreadableError("bad_text", f"{name} holds a NUL character")
    return value


def required_text(value: Any, name: str) -> str:
    string = text(value, name)
    if string is None:
        raise UnreadableError("missing_field", f"{name} is missing")
    return string


def identifier(value: Any, name: str) -> str | None:
    """An id in one spelling: the broker's uuids differ in case between sources."""
    string = text(value, name)
    return None if string is None else string.strip().lower()


def required_identifier(value: Any, name: str) -> str:
    string = identifier(value, name)
    if string is None:
        raise UnreadableError("missing_field", f"{name} is missing")
    return string


class Fields:
    """The fields of one JSON object, read by name; see the functions of this module.

    ``where`` is put before a field's name in messages, as in ``order.id``.
    """

    def __init__(self, row: dict[str, Any], where: str = "") -> None:
        self._row, self._where = row, where

    def __getitem__(self, name: str) -> Any:
        return self._row.get(name)

    def decimal(self, name: str) -> Decimal | None:
        return decimal(self[name], self._where + name)

    def required_decimal(self, name: str) -> Decimal:
        return required_decimal(self[name], self._where + name)

    def instant(self, name: str) -> datetime | None:
        return instant(self[name], self._where + name)

    def required_instant(self, name: str) -> datetime:
        return required_instant(self[name], self._where + name)

    def text(self, name: str) -> str | None:
        return text(self[name], self._where + name)

    def required_text(self, name: str) -> str:
        return required_text(self[name], self._where + name)

    def identifier(self, name: str) -> str | None:
        return identifier(self[name], self._where + name)

    def required_identifier(self, name: str) -> str:
        return required_identifier(self[name], self._where + name)


def uuid_or_none(value: str | None) -> str | None:
    return value if value is not None and UUID.fullmatch(value) else None


def plain(number: Decimal | None) -> str:
    """One spelling for equal decimals, for use in keys: 1.00 and 1 are ``1``."""
    if number is None:
        return ""
    return "0" if number == 0 else format(number.normalize(), "f")


@lru_cache(maxsize=100_000)
def instrument(symbol: str, asset_class: str | None = None) -> Instrument:
    """What a symbol is, from its spelling and, where given, the broker's asset class.

    An option's root carries a digit where the contract was adjusted (AAPL1): the
    ticker is without it, so that it stays with its underlying.
    """
    match = OCC_SYMBOL.fullmatch(symbol)
    if match:
        root, _, year, month, day, kind, strike = match.groups()
        try:
            expiration = date(2000 + int(year), int(month), int(day))
        except ValueError:
            pass  # a stock that happens to look like an option: its date is none
        else:
            return Instrument(
                symbol=symbol,
                asset_class="us_option",
                ticker=root,
                multiplier=100,
                option_type="CALL" if kind == "C" else "PUT",
                strike_price=Decimal(strike) / 1000,
                expiration_date=expiration,
            )
    is_crypto = asset_class == "crypto" or "/" in symbol
    return Instrument(
        symbol=symbol,
        asset_class="crypto" if is_crypto else "us_equity",
        ticker=symbol,
        multiplier=1,
    )


def pair(symbol: str, asset_class: str | None) -> str:
    """A symbol as fills and streams spell it.

    Positions name a crypto pair without its slash: BTCUSD for BTC/USD.
    """
    if asset_class == "crypto" and "/" not in symbol:
        for quote in ("USDT", "USDC", "USD", "BTC"):
            if symbol.endswith(quote) and symbol != quote:
                return f"{symbol.removesuffix(quote)}/{quote}"
    return symbol
