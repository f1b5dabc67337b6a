"""What a message says, as small typed values: the only currency of parser and writer.

Quantities, prices and money are exact decimals; instants are aware datetimes in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple


class UnreadableError(Exception):
    """A message that cannot become a fact.

    ``code`` is a short machine-readable word, the exception's text one line for a
    person. The message itself goes to ``raw.quarantine``; nothing is lost.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symbol and what its spelling tells (the OCC parts of an option)."""

    symbol: str
    asset_class: str  # us_equity, us_option, crypto
    ticker: str
    multiplier: int
    option_type: str | None = None  # CALL, PUT
    strike_price: Decimal | None = None
    expiration_date: date | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, or the bust or correction of one.

    ``qty`` and ``price`` are of this execution, ``cum_qty`` is the order's running
    total after it. ``supersedes`` is the event_id that a bust or correction names.
    """

    event_id: str
    event_type: str  # the wire's own word: fill, partial_fill, trade_bust, FILL, ...
    kind: str  # fill, bust, correct
    account_name: str
    order_id: str
    client_order_id: str | None
    execution_id: str | None
    supersedes: str | None
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal | None
    position_qty: Decimal | None
    executed_at: datetime
    source: str  # the recording channel it came through


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """An order's event that is no execution (new, canceled, ...)."""

    event_id: str
    event_type: str
    account_name: str
    order_id: str
    symbol: str | None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as the broker described it at ``updated_at``."""

    account_name: str
    order_id: str
    client_order_id: str | None
    parent_order_id: str | None
    symbol: str | None
    asset_class: str | None
    side: str | None
    order_type: str | None
    order_class: str | None
    time_in_force: str | None
    status: str | None
    qty: Decimal | None
    notional: Decimal | None
    filled_qty: Decimal | None
    filled_avg_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    commission: Decimal | None
    legs: str | None  # JSON list of the children's order ids
    submitted_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """One version of a non-trade activity (expiry, assignment, split, fee, ...)."""

    event_id: str
    account_name: str
    activity_id: str
    status: str
    activity_type: str
    activity_sub_type: str | None
    activity_date: date
    occurred_at: datetime | None
    symbol: str | None
    qty: Decimal | None
    price: Decimal | None
    net_amount: Decimal | None
    per_share_amount: Decimal | None
    group_id: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The dispatcher's decision to enter, with what was known at that moment."""

    recommendation_id: str
    account_name: str | None
    ticker: str | None
    strategy_type: str | None
    confidence: Decimal | None
    features_snapshot: str | None  # JSON text, as sent
    sentiment_snapshot: str | None  # JSON text, as sent
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Execution:
    """An order that the dispatcher sent, to enter or to exit."""

    execution_uuid: str
    recommendation_id: str | None
    account_name: str
    alpaca_order_id: str | None
    client_order_id: str | None
    intent: str
    exit_reason: str | None
    strategy_type: str | None
    max_hold_minutes: int | None
    stop_price: Decimal | None
    target_price: Decimal | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """What the broker says an account holds of a symbol when asked.

    ``qty`` is signed, 0 for nothing. It was observed when its entry was received.
    """

    account_name: str
    symbol: str  # as positions spell it: BTCUSD, where fills say BTC/USD
    asset_class: str | None
    qty: Decimal
    avg_entry_price: Decimal | None


class Mark(NamedTuple):  # the quickest to make, and there are millions
    """One observation of a symbol.

    ``price`` is the mid of a quote or the price of a trade, 0 where there is none to
    take (then ``is_usable`` is false). Floats, because mark prices are only compared
    before they are cast to numeric.
    """

    symbol: str
    observed_at: datetime
    price: float
    bid: float | None
    ask: float | None
    is_usable: bool


Fact = (
    Fill
    | TradeEvent
    | OrderState
    | Activity
    | Recommendation
    | Execution
    | BrokerPosition
    | Mark
)
