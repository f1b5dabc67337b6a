"""What a frame of the stream and a row of REST have in common: one execution."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ingest import values
from ingest.facts import UnreadableError


def event_id(
    execution_id: str | None,
    order_id: str,
    cum_qty: Decimal,
    qty: Decimal,
    price: Decimal,
    supersedes: str | None = None,
) -> str:
    if execution_id is not None:
        return f"exec:{execution_id}"
    numbers = ":".join(values.plain(number) for number in (cum_qty, qty, price))
    key = f"oc:{order_id}:{numbers}"
    return key if supersedes is None else f"{key}:{supersedes}"


def side(value: Any) -> str:
    # FILL activities say sell_short where the order says sell.
    known = {"sell_short": "sell"}.get(value, value)
    if known not in ("buy", "sell"):
        raise UnreadableError("unknown_side", f"unknown side: {value!r}")
    return str(known)


def positive(number: Decimal, name: str) -> Decimal:
    if number <= 0:
        raise UnreadableError("bad_number", f"{name} is not positive: {number}")
    return number
