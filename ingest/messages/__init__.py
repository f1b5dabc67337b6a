"""Recorded messages to facts. Parsing only: no I/O, no clock, no state.

``parse`` takes one message of a recording (DESIGN, section 3) as JSON with numbers
read as Decimal and returns its facts. It raises UnreadableError with a reason for what
cannot become one; the caller quarantines the message and goes on. Market data may come
with numbers read as floats: mark prices are only compared.
"""

from __future__ import annotations

from typing import Any

from ingest.facts import Fact, UnreadableError
from ingest.messages import (
    activities,
    dispatch,
    market_data,
    orders,
    positions,
    trade_updates,
)

MARKET_DATA = frozenset({"stock_data", "option_data", "crypto_data"})
CHANNELS = MARKET_DATA | {
    "trade_updates", "activities", "orders", "positions", "dispatch",
}  # fmt: skip


def parse(channel: str, account: str | None, message: Any) -> list[Fact]:
    """The facts of one message; an empty list for a control frame that states none.

    ``account`` is the recording's account name for channels that have one.
    """
    if channel not in CHANNELS:
        raise UnreadableError("unknown_channel", f"unknown from: {channel!r}")
    if not isinstance(message, dict):
        raise UnreadableError("bad_shape", "msg is not a JSON object")
    if channel in MARKET_DATA:
        mark = market_data.mark(message)
        return [] if mark is None else [mark]
    if channel == "dispatch":
        return [dispatch.fact(message, account)]
    if account is None:
        raise UnreadableError(
            "missing_field", f"a message from {channel} needs an account"
        )
    if channel == "trade_updates":
        return trade_updates.facts(message, account)
    if channel == "activities":
        return [activities.fact(message, account)]
    if channel == "orders":
        return list(orders.states(message, account))
    return [positions.fact(message, account)]
