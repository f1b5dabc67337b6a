"""Frames of the trading stream for orders that are made up: what an execution says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from standin import wire
from standin.broker import Account, Row

Number = Decimal | int | str | float


@dataclass(frozen=True, slots=True)
class Wanted:
    """An execution as a test asks for it; None: a plausible value.

    ``final`` None: the execution is the order's last if it fills what is left.
    """

    symbol: str
    side: str
    qty: Number
    price: Number
    order_id: str | None = None
    order_qty: Number | None = None
    final: bool | None = None
    execution_id: str | None = None
    at: datetime | str | None = None
    order: Row | None = None


def number(value: Number) -> Decimal:
    return Decimal(str(value))


def new_order(account: Account, wanted: Wanted, now: datetime) -> Row:
    """The order of a first execution, as it stands before that."""
    qty = number(wanted.qty)
    if wanted.order_qty is not None:
        whole = number(wanted.order_qty)
    else:
        # Something has to be left where the caller says that more is to come.
        whole = qty * 2 if wanted.final is False else qty
    held = account.quantity(wanted.symbol)
    signed = qty if wanted.side == "buy" else -qty
    effect = "close" if held * signed < 0 else "open"
    moment = wire.iso(now)
    return {
        "id": wanted.order_id or str(uuid.uuid4()),
        "client_order_id": str(uuid.uuid4()),
        "created_at": moment,
        "updated_at": moment,
        "submitted_at": moment,
        "filled_at": None,
        "expired_at": None,
        "expires_at": None,
        "cancel_requested_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": wire.stable_uuid("asset", wanted.symbol),
        "symbol": wanted.symbol,
        "asset_class": wire.asset_class(wanted.symbol),
        "notional": None,
        "qty": wire.plain(whole),
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": "market",
        "type": "market",
        "side": wanted.side,
        "time_in_force": "day",
        "limit_price": None,
        "stop_price": None,
        "status": "new",
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "position_intent": f"{wanted.side}_to_{effect}",
        **(wanted.order or {}),
    }


def update(event: str, order: Row, **fields: Any) -> Row:
    """A frame that tells an event of an order."""
    data = {
        "event": event,
        "timestamp": order["updated_at"],
        "order": order,
        **fields,
    }
    return {"stream": "trade_updates", "data": data}


def accepted(order: Row) -> list[Row]:
    """The frames before a first fill."""
    return [
        update("pending_new", {**order, "status": "pending_new"}),
        update("new", order, execution_id=str(uuid.uuid4())),
    ]


def executed(account: Account, order: Row, wanted: Wanted, now: datetime) -> Row:
    """The frame of an execution of ``order``."""
    qty, price = number(wanted.qty), number(wanted.price)
    was = number(order["filled_qty"])
    filled = was + qty
    whole = number(order["qty"]) if order["qty"] is not None else filled
    if wanted.order_qty is not None:
        whole = number(wanted.order_qty)
    is_final = filled >= whole if wanted.final is None else wanted.final
    if is_final:
        whole = filled
    before = number(order["filled_avg_price"] or 0)
    moment = _spelled(wanted.at, now)
    after = {
        **order,
        **(wanted.order or {}),
        "qty": None if order["qty"] is None else wire.plain(whole),
        "filled_qty": wire.plain(filled),
        "filled_avg_price": wire.plain((before * was + price * qty) / filled),
        "filled_at": moment,
        "updated_at": moment,
        "status": "filled" if is_final else "partially_filled",
    }
    signed = qty if wanted.side == "buy" else -qty
    held = account.quantity(wanted.symbol) + signed
    return update(
        "fill" if is_final else "partial_fill",
        after,
        price=wire.plain(price),
        qty=wire.plain(qty),
        position_qty=wire.plain(held),
        execution_id=wanted.execution_id or str(uuid.uuid4()),
    )


def _spelled(at: datetime | str | None, now: datetime) -> str:
    if isinstance(at, str):
        return at
    return wire.iso(at or now)
