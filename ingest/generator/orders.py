"""Orders and executions, and how the wire spells them."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ingest.generator.plans import Instrument
from ingest.generator.text import (
    CENT,
    decimal_text,
    instant_text,
    price_text,
    qty_text,
)


@dataclass(frozen=True, slots=True)
class Execution:
    """A quantity (nanos) at a price (points), at an instant."""

    id: str
    instant: int
    price: int
    qty: int


@dataclass(slots=True, kw_only=True)
class Order:
    """An order and what became of it so far.

    `qty` in nanos, or else `notional` in cents; `limit`, `stop` and `hwm` in points;
    `trail` in hundredths of a percent; `paid` is the sum of price x quantity in points
    x nanos. Of these and of the instants, 0 means that the order has none.
    """

    id: str
    client_id: str
    account: str
    instrument: Instrument
    side: str
    qty: int
    created: int
    intent: str = ""
    notional: int = 0
    kind: str = "market"
    order_class: str = ""
    tif: str = "day"
    limit: int = 0
    stop: int = 0
    trail: int = 0
    hwm: int = 0
    legs: list["Order"] = field(default_factory=list)
    ratio: int = 0
    commission: str = ""
    status: str = "new"
    updated: int = 0
    filled: int = 0
    paid: int = 0
    filled_at: int = 0
    canceled: int = 0
    executions: list[Execution] = field(default_factory=list)

    @property
    def average(self) -> str | None:
        """The average price, to 6 places, as the broker states it."""
        if not self.filled:
            return None
        return decimal_text((self.paid * 100 + self.filled // 2) // self.filled, 6)

    def body(self) -> dict[str, Any]:
        """The order object as it stands, as frames and REST rows hold it."""
        symbol = self.instrument.symbol
        created = instant_text(self.created)
        body: dict[str, Any] = {
            "id": self.id,
            "client_order_id": self.client_id,
            "created_at": created,
            "updated_at": instant_text(max(self.updated, self.created)),
            "submitted_at": created,
            "filled_at": _instant(self.filled_at),
            "expired_at": None,
            "expires_at": None,
            "cancel_requested_at": None,
            "canceled_at": _instant(self.canceled),
            "failed_at": None,
            "replaced_at": None,
            "replaced_by": None,
            "replaces": None,
            "asset_id": _asset_id(symbol),
            "symbol": symbol,
            "asset_class": self.instrument.asset_class,
            "notional": _price(self.notional * CENT),
            "qty": qty_text(self.qty) if self.qty else None,
            "filled_qty": qty_text(self.filled),
            "filled_avg_price": self.average,
            "order_class": self.order_class,
            "order_type": self.kind,
            "type": self.kind,
            "side": self.side,
            "time_in_force": self.tif,
            "limit_price": _price(self.limit),
            "stop_price": _price(self.stop),
            "status": self.status,
            "extended_hours": False,
            "legs": [leg.body() for leg in self.legs] or None,
            "trail_percent": decimal_text(self.trail, 2) if self.trail else None,
            "trail_price": None,
            "hwm": _price(self.hwm),
            "position_intent": self.intent,
        }
        if self.ratio:
            body["ratio_qty"] = str(self.ratio)
        if self.commission:
            body["commission"] = self.commission
        return body


def _price(points: int) -> str | None:
    return price_text(points) if points else None


def _instant(instant: int) -> str | None:
    return instant_text(instant) if instant else None


_ASSET_IDS: dict[str, str] = {"": "00000000-0000-0000-0000-000000000000"}


def _asset_id(symbol: str) -> str:
    """The broker's id of a symbol: one for ever, whatever the plan."""
    if symbol not in _ASSET_IDS:
        text = sha256(f"asset/{symbol}".encode()).hexdigest()
        _ASSET_IDS[symbol] = (
            f"{text[:8]}-{text[8:12]}-5{text[13:16]}-a{text[17:20]}-{text[20:32]}"
        )
    return _ASSET_IDS[symbol]
