"""Quotes and trades of the data streams to marks."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from ingest import values
from ingest.facts import Mark, UnreadableError

# A named tuple's own constructor takes half as long again.
_new_mark = partial(tuple.__new__, Mark)

CONTROL = frozenset({"success", "subscription"})


# Beyond any price: a number this large is a fault of the feed, and sums of such would
# overflow.
NO_PRICE = 1e15


def mark(message: dict[str, Any]) -> Mark | None:
    """The mark of one element of a data-stream frame; None for a control message.

    What has no price to take (a side missing or zero, bid above ask) is kept as
    unusable, with price 0.
    """
    kind = message.get("T")
    bid: float | None
    ask: float | None
    if kind == "q":
        # Nearly all are floats, and to look is quicker than to call.
        if type(bid := message.get("bp")) is not float:
            bid = _number(bid, "bp")
        if type(ask := message.get("ap")) is not float:
            ask = _number(ask, "ap")
        is_usable = 0 < bid <= ask < NO_PRICE
        # Nine decimals: the double nearest to the decimal mid, so that equal mids are
        # equal doubles whatever quotes they come from.
        price = round((bid + ask) / 2, 9) if is_usable else 0.0
    elif kind == "t":
        bid = ask = None
        price = _number(message.get("p"), "p")
        is_usable = 0 < price < NO_PRICE
    elif kind in CONTROL:
        return None
    else:
        reason = f"T={kind!r} is neither a quote nor a trade"
        raise UnreadableError("not_a_mark", reason)
    symbol = message.get("S")
    if type(symbol) is not str or not symbol or "\x00" in symbol:
        raise UnreadableError("missing_field", f"S is not a symbol: {symbol!r}")
    observed_at = values.instant(message.get("t"), "t")
    if observed_at is None:
        raise UnreadableError("missing_field", "t is missing")
    # Rounding can leave 0 of a price that no market has.
    is_usable = is_usable and price > 0
    if not is_usable:
        price = 0.0
    return _new_mark((symbol, observed_at, price, bid, ask, is_usable))


def _number(value: Any, name: str) -> float:
    """A market data number; 0 where the feed sends none."""
    if type(value) is float:
        return value
    if value is None:
        return 0.0
    if type(value) is not int and type(value) is not Decimal:
        raise UnreadableError("bad_number", f"{name} is not a number: {value!r}")
    return float(value)
