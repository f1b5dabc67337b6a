"""Frames of the trading stream to fills, order events and order states."""

from __future__ import annotations

from typing import Any

from ingest import values
from ingest.facts import Fact, Fill, OrderState, TradeEvent, UnreadableError
from ingest.messages import executions
from ingest.messages.orders import states

EXECUTIONS = frozenset({"fill", "partial_fill"})
SUPERSEDING = {"trade_bust": "bust", "trade_correct": "correct"}
OTHER_EVENTS = frozenset({
    "accepted", "calculated", "canceled", "done_for_day", "expired", "held", "new",
    "order_cancel_rejected", "order_replace_rejected", "pending_cancel", "pending_new",
    "pending_replace", "rejected", "replaced", "restated", "stopped", "suspended",
})  # fmt: skip
CONTROL_STREAMS = frozenset({"authorization", "listening"})


def facts(message: dict[str, Any], account: str) -> list[Fact]:
    """The execution or event of a frame, and the states of the orders that it shows."""
    stream, data = message.get("stream"), message.get("data")
    if stream in CONTROL_STREAMS:
        return []
    if stream != "trade_updates":
        raise UnreadableError("bad_shape", f"unknown stream: {stream!r}")
    if not isinstance(data, dict) or not isinstance(data.get("order"), dict):
        raise UnreadableError("bad_shape", "a trade update without data or order")
    update = values.Fields(data)
    orders = states(data["order"], account, seen_at=update["timestamp"])
    event = update.required_text("event")
    if event in EXECUTIONS and update["legs"]:
        return [*_leg_fills(update, orders[1:], account), *orders]
    if event in EXECUTIONS or event in SUPERSEDING:
        return [_fill(update, event, account), *orders]
    if event not in OTHER_EVENTS:
        raise UnreadableError("unknown_event", f"unknown trade event: {event!r}")
    order = orders[0]
    # An execution id on such an event does not mean a fill; a replay repeats it.
    occasion = update["execution_id"] or update["timestamp"] or order.updated_at
    event_id = f"event:{event}:{order.order_id}:{occasion}"
    return [
        TradeEvent(event_id, event, account, order.order_id, order.symbol),
        *orders,
    ]


def _fill(update: values.Fields, event: str, account: str) -> Fill:
    order = values.Fields(update["order"], "order.")
    order_id = order.required_identifier("id")
    qty = update.required_decimal("qty")
    price = update.required_decimal("price")
    cum_qty = order.required_decimal("filled_qty")
    execution_id = update.identifier("execution_id")
    kind, supersedes = SUPERSEDING.get(event, "fill"), None
    if kind != "fill":
        supersedes = f"exec:{update.required_identifier('previous_execution_id')}"
        qty = abs(qty)  # a bust states what it takes back as a negative quantity
    return Fill(
        event_id=executions.event_id(
            execution_id, order_id, cum_qty, qty, price, supersedes
        ),
        event_type=event,
        kind=kind,
        account_name=account,
        order_id=order_id,
        client_order_id=order.text("client_order_id"),
        execution_id=values.uuid_or_none(execution_id),
        supersedes=supersedes,
        symbol=order.required_text("symbol"),
        side=executions.side(order["side"]),
        qty=executions.positive(qty, "qty"),
        price=price,
        cum_qty=cum_qty,
        position_qty=update.decimal("position_qty"),
        executed_at=update.required_instant("timestamp"),
        source="trade_updates",
    )


def _leg_fills(
    update: values.Fields, leg_orders: list[OrderState], account: str
) -> list[Fill]:
    """One fill per leg of a multi-leg order, each of its own leg order."""
    orders = {leg.order_id: leg for leg in leg_orders}
    position_qtys = update["position_qtys"] or {}
    fills = []
    for row in update["legs"]:
        leg = values.Fields(row, "legs.")
        order = orders.get(leg.required_identifier("order_id"))
        if order is None or order.filled_qty is None:
            raise UnreadableError("bad_shape", "a leg without its order's filled_qty")
        qty = executions.positive(leg.required_decimal("qty"), "legs.qty")
        price = leg.required_decimal("price")
        execution_id = leg.identifier("execution_id")
        symbol = leg.required_text("symbol")
        fills.append(
            Fill(
                event_id=executions.event_id(
                    execution_id, order.order_id, order.filled_qty, qty, price
                ),
                event_type=update.required_text("event"),
                kind="fill",
                account_name=account,
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                execution_id=values.uuid_or_none(execution_id),
                supersedes=None,
                symbol=symbol,
                side=executions.side(order.side),
                qty=qty,
                price=price,
                cum_qty=order.filled_qty,
                position_qty=values.decimal(position_qtys.get(symbol), "position_qtys"),
                executed_at=leg.instant("timestamp")
                or update.required_instant("timestamp"),
                source="trade_updates",
            )
        )
    return fills
