"""Quotes and trades of the data streams to marks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ingest import values
from ingest.facts import Mark, UnreadableError

CONTROL = frozenset({"success", "subscription"})


def mark(message: dict[str, Any]) -> Mark | None:
    """The mark of one element of a data-stream frame; None for a control message."""
    kind = message.get("T")
    if kind == "q":
        bid, ask = _price(message.get("bp"), "bp"), _price(message.get("ap"), "ap")
        usable = 0 < bid <= ask
        # Nine decimals: the double nearest to the decimal mid, so that equal mids are
        # equal doubles whatever quotes they come from.
        price = round((bid + ask) / 2, 9) if usable else 0.0
    elif kind == "t":
        price = _price(message.get("p"), "p")
        bid = ask = None
        usable = price > 0
        price = price if usable else 0.0
    elif kind in CONTROL:
        return None
    else:
        raise UnreadableError(
            "not_a_mark", f"T={kind!r} is neither a quote nor a trade"
        )
    symbol = message.get("S")
    if not symbol or type(symbol) is not str or "\x00" in symbol:
        raise UnreadableError("missing_field", f"S is not a symbol: {symbol!r}")
    observed_at = values.required_instant(message.get("t"), "t")
    return Mark(symbol, observed_at, price, bid, ask, usable and price > 0)


def _price(value: Any, name: str) -> float:
    """A market data price: a JSON number; 0 where the feed sends none."""
    if value is None:
        return 0.0
    if type(value) not in (float, int, Decimal) or not -1e15 < value < 1e15:
        raise UnreadableError("bad_number", f"{name} is not a price: {value!r}")
    return float(value)
