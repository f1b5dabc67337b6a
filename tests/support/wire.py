"""Messages as they stand on the wire, and recording lines of them.

Only what a test is about is given; the rest is plausible. Numbers are strings, as the
trading stream sends them.
"""

from __future__ import annotations

import json
from typing import Any

AT = "2026-03-02T15:30:00.500000Z"


def line(channel: str, msg: Any, *, at: str = AT, account: str | None = "main") -> str:
    """A line of a recording; market data and dispatch rows carry no account."""
    envelope: dict[str, Any] = {"at": at, "from": channel, "msg": msg}
    if account is not None and not channel.endswith("_data") and channel != "dispatch":
        envelope["account"] = account
    return json.dumps(envelope)


def order(order_id: str = "order-1", **fields: Any) -> dict[str, Any]:
    """The order object of a frame or of REST."""
    return {
        "id": order_id,
        "client_order_id": f"client-{order_id}",
        "created_at": "2026-03-02T15:29:59Z",
        "updated_at": "2026-03-02T15:30:00.4Z",
        "submitted_at": "2026-03-02T15:29:59Z",
        "symbol": "SPY",
        "asset_class": "us_equity",
        "qty": "10",
        "filled_qty": "10",
        "filled_avg_price": "100",
        "order_class": "",
        "order_type": "market",
        "type": "market",
        "side": "buy",
        "status": "filled",
        "limit_price": None,
        "stop_price": None,
        "legs": None,
        **fields,
    }


def frame(
    event: str = "fill", *, of: dict[str, Any] | None = None, **fields: Any
) -> Any:
    """A frame of the trading stream; ``of`` is its order."""
    data = {
        "event": event,
        "timestamp": "2026-03-02T15:30:00.123456789Z",
        "execution_id": "c1aa3140-5813-471e-8de6-4243ff0e8668",
        "price": "100",
        "qty": "10",
        "position_qty": "10",
        "order": order() if of is None else of,
        **fields,
    }
    return {"stream": "trade_updates", "data": data}


def fill_activity(**fields: Any) -> dict[str, Any]:
    """REST's copy of the execution in ``frame()``."""
    return {
        "id": "20260302103000123::c1aa3140-5813-471e-8de6-4243ff0e8668",
        "activity_type": "FILL",
        "transaction_time": "2026-03-02T15:30:00.123Z",
        "type": "fill",
        "price": "100",
        "qty": "10",
        "side": "buy",
        "symbol": "SPY",
        "leaves_qty": "0",
        "order_id": "order-1",
        "cum_qty": "10",
        "order_status": "filled",
        **fields,
    }


def activity(activity_type: str, **fields: Any) -> dict[str, Any]:
    """A row of REST's activities that is no trade."""
    return {
        "id": "20260417000000000::bec50ae1-8fb3-4502-ac4f-83ece69b5918",
        "activity_type": activity_type,
        "date": "2026-04-17",
        "net_amount": "0",
        "status": "executed",
        **fields,
    }


def position(symbol: str = "SPY", qty: str = "10", **fields: Any) -> dict[str, Any]:
    """A row of REST's positions."""
    return {
        "symbol": symbol,
        "asset_class": "us_equity",
        "qty": qty,
        "side": "short" if qty.startswith("-") else "long",
        "avg_entry_price": "100",
        **fields,
    }


def quote(
    symbol: str = "SPY", bid: Any = 99.98, ask: Any = 100.02, **fields: Any
) -> Any:
    """A quote of the data stream."""
    instant = "2026-03-02T15:30:00.123456789Z"
    return {"T": "q", "S": symbol, "t": instant, "bp": bid, "ap": ask, **fields}


def trade(symbol: str = "SPY", price: Any = 100.0, **fields: Any) -> Any:
    """A trade of the data stream."""
    instant = "2026-03-02T15:30:00.123456789Z"
    return {"T": "t", "S": symbol, "t": instant, "p": price, **fields}


def recommendation(**fields: Any) -> dict[str, Any]:
    row = {
        "recommendation_id": "a48792c5-9bab-4340-84ac-8fe63313a101",
        "account_name": "main",
        "ticker": "SPY",
        "strategy_type": "day_trade",
        "confidence": 0.744,
        "features_snapshot": {"iv_rank": 50.69},
        "created_at": "2026-03-02T15:29:57Z",
        **fields,
    }
    return {"table": "dispatch_recommendations", "row": row}


def execution(**fields: Any) -> dict[str, Any]:
    row = {
        "execution_uuid": "bec49ab4-6fc8-40d2-982c-ba01600a6732",
        "recommendation_id": "a48792c5-9bab-4340-84ac-8fe63313a101",
        "account_name": "main",
        "alpaca_order_id": "order-1",
        "client_order_id": "client-order-1",
        "intent": "entry",
        "strategy_type": "day_trade",
        "max_hold_minutes": 240,
        "created_at": "2026-03-02T15:29:58Z",
        **fields,
    }
    return {"table": "dispatch_executions", "row": row}
