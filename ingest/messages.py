"""Recorded messages to facts. Parsing only: no I/O, no clock, no state.

``parse`` takes one message of a recording (DESIGN, section 3) as JSON with numbers
read as Decimal and returns its facts. It raises Unreadable with a reason for what
cannot become one; the caller quarantines the message and goes on. Market data has a
short cut of its own, ``parse_mark``, which also takes numbers read as floats.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from ingest import values
from ingest.facts import (
    Activity,
    Execution,
    Fact,
    Fill,
    Mark,
    OrderState,
    Recommendation,
    TradeEvent,
    Unreadable,
)

MARKET_DATA = frozenset({"stock_data", "option_data", "crypto_data"})
CHANNELS = MARKET_DATA | {"trade_updates", "activities", "orders", "positions", "dispatch"}

EXECUTIONS = frozenset({"fill", "partial_fill"})
SUPERSEDING = {"trade_bust": "bust", "trade_correct": "correct"}
OTHER_EVENTS = frozenset({
    "accepted", "calculated", "canceled", "done_for_day", "expired", "held", "new",
    "order_cancel_rejected", "order_replace_rejected", "pending_cancel", "pending_new",
    "pending_replace", "rejected", "replaced", "restated", "stopped", "suspended",
})  # fmt: skip
CONTROL_STREAMS = frozenset({"authorization", "listening"})
CONTROL_DATA = frozenset({"success", "subscription"})

STRATEGY_TYPES = frozenset({"day_trade", "swing_trade", "conservative"})
INTENTS = frozenset({"entry", "exit"})


def parse(channel: str, account: str | None, message: Any) -> list[Fact]:
    """The facts of one message; an empty list for a control frame that states none.

    ``account`` is the recording's account name for channels that have one.
    """
    if channel not in CHANNELS:
        raise Unreadable("unknown_channel", f"unknown from: {channel!r}")
    if not isinstance(message, dict):
        raise Unreadable("bad_shape", "msg is not a JSON object")
    if channel in MARKET_DATA:
        mark = parse_mark(message)
        return [] if mark is None else [mark]
    if channel == "dispatch":
        return [_dispatch(message, account)]
    if account is None:
        raise Unreadable("missing_field", f"a message from {channel} needs an account")
    if channel == "trade_updates":
        return _trade_update(message, account)
    if channel == "activities":
        return [_activity(message, account)]
    if channel == "orders":
        return list(_orders(message, account, parent_order_id=None))
    # A position snapshot states no new fact: reconciliation compares it, live.
    values.required_text(message.get("symbol"), "symbol")
    return []


def parse_mark(message: dict[str, Any]) -> Mark | None:
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
    elif kind in CONTROL_DATA:
        return None
    else:
        raise Unreadable("not_a_mark", f"T={kind!r} is neither a quote nor a trade")
    symbol = message.get("S")
    if not symbol or type(symbol) is not str or "\x00" in symbol:
        raise Unreadable("missing_field", f"S is not a symbol: {symbol!r}")
    observed_at = values.required_instant(message.get("t"), "t")
    return Mark(symbol, observed_at, price, bid, ask, usable and price > 0)


def _price(value: Any, name: str) -> float:
    """A market data price: a JSON number; 0 where the feed sends none."""
    if value is None:
        return 0.0
    if type(value) not in (float, int, Decimal) or not -1e15 < value < 1e15:
        raise Unreadable("bad_number", f"{name} is not a price: {value!r}")
    return float(value)


def _trade_update(message: dict[str, Any], account: str) -> list[Fact]:
    stream, data = message.get("stream"), message.get("data")
    if stream in CONTROL_STREAMS:
        return []
    if stream != "trade_updates":
        raise Unreadable("bad_shape", f"unknown stream: {stream!r}")
    if not isinstance(data, dict) or not isinstance(data.get("order"), dict):
        raise Unreadable("bad_shape", "a trade update without data or order")
    order, event = data["order"], values.required_text(data.get("event"), "event")
    orders = _orders(order, account, parent_order_id=None, seen_at=data.get("timestamp"))
    if event in EXECUTIONS and data.get("legs"):
        return [*_leg_fills(data, orders[1:], account), *orders]
    if event in EXECUTIONS or event in SUPERSEDING:
        return [_fill(data, account), *orders]
    if event not in OTHER_EVENTS:
        raise Unreadable("unknown_event", f"unknown trade event: {event!r}")
    order_id = values.required_identifier(order.get("id"), "order.id")
    # An execution id on such an event does not mean a fill; a replay repeats it.
    mark = data.get("execution_id") or data.get("timestamp") or order.get("updated_at")
    event_id = f"event:{event}:{order_id}:{mark}"
    symbol = values.text(order.get("symbol"), "symbol")
    return [TradeEvent(event_id, event, account, order_id, symbol), *orders]


def _fill(data: dict[str, Any], account: str) -> Fill:
    order, event = data["order"], data["event"]
    order_id = values.required_identifier(order.get("id"), "order.id")
    qty = values.required_decimal(data.get("qty"), "qty")
    price = values.required_decimal(data.get("price"), "price")
    cum_qty = values.required_decimal(order.get("filled_qty"), "order.filled_qty")
    execution_id = values.identifier(data.get("execution_id"), "execution_id")
    kind, supersedes = SUPERSEDING.get(event, "fill"), None
    if kind != "fill":
        previous = values.required_identifier(
            data.get("previous_execution_id"), "previous_execution_id"
        )
        supersedes = f"exec:{previous}"
        qty = abs(qty)  # a bust states what it takes back as a negative quantity
    return Fill(
        event_id=_event_id(execution_id, order_id, cum_qty, qty, price, supersedes),
        event_type=event,
        kind=kind,
        account_name=account,
        order_id=order_id,
        client_order_id=values.text(order.get("client_order_id"), "client_order_id"),
        execution_id=values.uuid_or_none(execution_id),
        supersedes=supersedes,
        symbol=values.required_text(order.get("symbol"), "order.symbol"),
        side=_side(order.get("side")),
        qty=_positive(qty, "qty"),
        price=price,
        cum_qty=cum_qty,
        position_qty=values.decimal(data.get("position_qty"), "position_qty"),
        executed_at=values.required_instant(data.get("timestamp"), "timestamp"),
        source="trade_updates",
    )


def _leg_fills(
    data: dict[str, Any], leg_orders: list[OrderState], account: str
) -> list[Fill]:
    """One fill per leg of a multi-leg order, each of its own leg order."""
    by_id = {leg.order_id: leg for leg in leg_orders}
    position_qtys = data.get("position_qtys") or {}
    fills = []
    for leg in data["legs"]:
        order_id = values.required_identifier(leg.get("order_id"), "legs.order_id")
        order = by_id.get(order_id)
        if order is None:
            raise Unreadable("bad_shape", f"a leg names unknown order {order_id}")
        qty = _positive(values.required_decimal(leg.get("qty"), "legs.qty"), "legs.qty")
        price = values.required_decimal(leg.get("price"), "legs.price")
        execution_id = values.identifier(leg.get("execution_id"), "legs.execution_id")
        symbol = values.required_text(leg.get("symbol"), "legs.symbol")
        happened = leg.get("timestamp") or data.get("timestamp")
        if order.filled_qty is None:
            raise Unreadable("missing_field", f"leg order {order_id} has no filled_qty")
        fills.append(
            Fill(
                event_id=_event_id(execution_id, order_id, order.filled_qty, qty, price),
                event_type=data["event"],
                kind="fill",
                account_name=account,
                order_id=order_id,
                client_order_id=order.client_order_id,
                execution_id=values.uuid_or_none(execution_id),
                supersedes=None,
                symbol=symbol,
                side=_side(order.side),
                qty=qty,
                price=price,
                cum_qty=order.filled_qty,
                position_qty=values.decimal(position_qtys.get(symbol), "position_qtys"),
                executed_at=values.required_instant(happened, "legs.timestamp"),
                source="trade_updates",
            )
        )
    return fills


def _orders(
    order: dict[str, Any],
    account: str,
    parent_order_id: str | None,
    seen_at: Any = None,
) -> list[OrderState]:
    """The order's state and, after it, those of its nested legs.

    ``seen_at`` stands in for ``updated_at``, which the schema allows to be null.
    """
    order_id = values.required_identifier(order.get("id"), "order.id")
    updated_at = order.get("updated_at") or seen_at or order.get("created_at")
    legs = order.get("legs") or []
    if not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise Unreadable("bad_shape", "order.legs is not a list of orders")
    children = [
        state for leg in legs for state in _orders(leg, account, order_id, seen_at)
    ]

    def number(name: str) -> Decimal | None:
        return values.decimal(order.get(name), f"order.{name}")

    def word(name: str) -> str | None:
        return values.text(order.get(name), f"order.{name}")

    state = OrderState(
        account_name=account,
        order_id=order_id,
        client_order_id=word("client_order_id"),
        parent_order_id=parent_order_id,
        symbol=word("symbol"),
        asset_class=word("asset_class"),
        side=word("side"),
        order_type=word("order_type") or word("type"),
        order_class=word("order_class"),
        time_in_force=word("time_in_force"),
        status=word("status"),
        qty=number("qty"),
        notional=number("notional"),
        filled_qty=number("filled_qty"),
        filled_avg_price=number("filled_avg_price"),
        limit_price=number("limit_price"),
        stop_price=number("stop_price"),
        trail_price=number("trail_price"),
        trail_percent=number("trail_percent"),
        commission=number("commission"),
        legs=json.dumps([child.order_id for child in children]) if children else None,
        submitted_at=values.instant(order.get("submitted_at"), "order.submitted_at"),
        updated_at=values.required_instant(updated_at, "order.updated_at"),
    )
    return [state, *children]


def _activity(row: dict[str, Any], account: str) -> Fill | Activity:
    activity_type = values.required_text(row.get("activity_type"), "activity_type")
    activity_id = values.required_text(row.get("id"), "id")
    if activity_type == "FILL":
        return _fill_activity(row, account, activity_id)
    status = (values.text(row.get("status"), "status") or "executed").lower()
    event_id = f"nta:{activity_type}:{activity_id}"
    happened = row.get("transaction_time")
    return Activity(
        # The first version has the plain id; a later status is an event of its own.
        event_id=event_id if status == "executed" else f"{event_id}:{status}",
        account_name=account,
        activity_id=activity_id,
        status=status,
        activity_type=activity_type,
        activity_sub_type=values.text(row.get("activity_sub_type"), "activity_sub_type"),
        activity_date=values.calendar_date(row.get("date") or str(happened)[:10], "date"),
        occurred_at=values.instant(happened, "transaction_time"),
        symbol=values.text(row.get("symbol"), "symbol"),
        qty=values.decimal(row.get("qty"), "qty"),
        price=values.decimal(row.get("price"), "price"),
        net_amount=values.decimal(row.get("net_amount"), "net_amount"),
        per_share_amount=values.decimal(row.get("per_share_amount"), "per_share_amount"),
        group_id=values.text(row.get("group_id"), "group_id"),
        description=values.text(row.get("description"), "description"),
    )


def _fill_activity(row: dict[str, Any], account: str, activity_id: str) -> Fill:
    order_id = values.required_identifier(row.get("order_id"), "order_id")
    qty = _positive(values.required_decimal(row.get("qty"), "qty"), "qty")
    price = values.required_decimal(row.get("price"), "price")
    cum_qty = values.required_decimal(row.get("cum_qty"), "cum_qty")
    execution_id = values.identifier(activity_id.partition("::")[2], "id")
    return Fill(
        event_id=_event_id(execution_id, order_id, cum_qty, qty, price),
        event_type="FILL",
        kind="fill",
        account_name=account,
        order_id=order_id,
        client_order_id=None,
        execution_id=values.uuid_or_none(execution_id),
        supersedes=None,
        symbol=values.required_text(row.get("symbol"), "symbol"),
        side=_side(row.get("side")),
        qty=qty,
        price=price,
        cum_qty=cum_qty,
        position_qty=None,
        executed_at=values.required_instant(row.get("transaction_time"), "transaction_time"),
        source="activities",
    )


def _dispatch(message: dict[str, Any], account: str | None) -> Recommendation | Execution:
    table, row = message.get("table"), message.get("row")
    if not isinstance(row, dict):
        raise Unreadable("bad_shape", "a dispatch message without a row")
    account_name = values.text(row.get("account_name"), "account_name") or account
    strategy_type = values.text(row.get("strategy_type"), "strategy_type")
    if strategy_type is not None and strategy_type not in STRATEGY_TYPES:
        raise Unreadable("unknown_strategy_type", f"unknown strategy_type: {strategy_type}")
    created_at = values.required_instant(row.get("created_at"), "created_at")
    recommendation_id = values.identifier(row.get("recommendation_id"), "recommendation_id")
    if table == "dispatch_recommendations":
        if recommendation_id is None:
            raise Unreadable("missing_field", "recommendation_id is missing")
        return Recommendation(
            recommendation_id=recommendation_id,
            account_name=account_name,
            ticker=values.text(row.get("ticker"), "ticker"),
            strategy_type=strategy_type,
            confidence=values.decimal(row.get("confidence"), "confidence"),
            features_snapshot=_json_text(row.get("features_snapshot")),
            sentiment_snapshot=_json_text(row.get("sentiment_snapshot")),
            created_at=created_at,
        )
    if table != "dispatch_executions":
        raise Unreadable("unknown_table", f"unknown dispatch table: {table!r}")
    execution_uuid = values.identifier(row.get("execution_uuid"), "execution_uuid")
    if values.uuid_or_none(execution_uuid) is None:
        raise Unreadable("bad_text", f"execution_uuid is not a uuid: {execution_uuid!r}")
    assert execution_uuid is not None
    intent = values.required_text(row.get("intent"), "intent")
    if intent not in INTENTS:
        raise Unreadable("unknown_intent", f"unknown intent: {intent!r}")
    hold = values.decimal(row.get("max_hold_minutes"), "max_hold_minutes")
    if hold is not None and not -(2**31) <= hold < 2**31:
        raise Unreadable("bad_number", f"max_hold_minutes is out of range: {hold}")
    return Execution(
        execution_uuid=execution_uuid,
        recommendation_id=recommendation_id,
        account_name=values.required_text(account_name, "account_name"),
        alpaca_order_id=values.identifier(row.get("alpaca_order_id"), "alpaca_order_id"),
        client_order_id=values.text(row.get("client_order_id"), "client_order_id"),
        intent=intent,
        exit_reason=values.text(row.get("exit_reason"), "exit_reason"),
        strategy_type=strategy_type,
        max_hold_minutes=None if hold is None else int(hold),
        stop_price=values.decimal(row.get("stop_price"), "stop_price"),
        target_price=values.decimal(row.get("target_price"), "target_price"),
        created_at=created_at,
    )


def _json_text(value: Any) -> str | None:
    """JSON text of a snapshot with its numbers digit for digit as sent.

    The encoder of the standard library would pass every number through a float.
    """
    return None if value is None else _exact_json(value)


def _exact_json(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}:{_exact_json(value[key])}" for key in value)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_exact_json, value)) + "]"
    return json.dumps(value)


def _event_id(
    execution_id: str | None,
    order_id: str,
    cum_qty: Decimal,
    qty: Decimal,
    price: Decimal,
    supersedes: str | None = None,
) -> str:
    if execution_id is not None:
        return f"exec:{execution_id}"
    key = f"oc:{order_id}:{values.plain(cum_qty)}:{values.plain(qty)}:{values.plain(price)}"
    return key if supersedes is None else f"{key}:{supersedes}"


def _side(value: Any) -> str:
    # FILL activities say sell_short where the order says sell.
    side = {"sell_short": "sell"}.get(value, value)
    if side not in ("buy", "sell"):
        raise Unreadable("unknown_side", f"unknown side: {value!r}")
    return str(side)


def _positive(number: Decimal, name: str) -> Decimal:
    if number <= 0:
        raise Unreadable("bad_number", f"{name} is not positive: {number}")
    return number
