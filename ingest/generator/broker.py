"""The broker: keeps positions, fills orders, and says so on the wire."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson

from ingest.generator.orders import Execution, Order
from ingest.generator.plans import Instrument, Mix
from ingest.generator.sessions import new_york_hours
from ingest.generator.text import (
    MINUTE,
    SECOND,
    Stream,
    instant_text,
    nano_instant_text,
    price_text,
    qty_text,
)

LATENCY = 1_200
"""Microseconds from an event's time to the reception of its frame."""


class Recorder:
    """Lines of all channels but market data, held until their time has come."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int, bytes]] = []
        self._count = 0

    def add(
        self, at: int, channel: str, message: bytes, account: str | None = None
    ) -> None:
        """Record a message (JSON text) received at an instant."""
        name = f',"account":"{account}"' if account else ""
        head = f'{{"at":"{instant_text(at)}","from":"{channel}"{name},"msg":'
        self._count += 1
        self._lines.append((at, self._count, head.encode() + message + b"}\n"))

    def take(self, before: int | None = None) -> list[tuple[int, bytes]]:
        """The lines received before an instant (None: all), in order; they are gone."""
        self._lines.sort()
        end = len(self._lines)
        while before is not None and end and self._lines[end - 1][0] >= before:
            end -= 1
        taken = [(at, line) for at, _, line in self._lines[:end]]
        del self._lines[:end]
        return taken


class Broker:
    """Orders in, frames out. Quantities are nanos, prices points, instants UTC."""

    def __init__(self, seed: int, mix: Mix, recorder: Recorder) -> None:
        self._mix = mix
        self._recorder = recorder
        self._source = Stream(seed, "broker")
        self._positions: dict[tuple[str, str], int] = {}

    def position(self, account: str, symbol: str) -> int:
        """The signed quantity that the broker has for the account."""
        return self._positions.get((account, symbol), 0)

    def adjust(self, account: str, symbol: str, change: int) -> int:
        """Move a position without a fill; returns what it is now."""
        now = self.position(account, symbol) + change
        self._positions[account, symbol] = now
        return now

    def draft(
        self,
        account: str,
        instrument: Instrument,
        side: str,
        qty: int,
        at: int,
        **terms: Any,
    ) -> Order:
        """An order that nobody has been told of; `terms` as the fields of Order."""
        if "intent" not in terms:
            held = self.position(account, instrument.symbol)
            closes = held < 0 if side == "buy" else held > 0
            terms["intent"] = f"{side}_to_{'close' if closes else 'open'}"
        return Order(
            id=self._source.uuid(),
            client_id=self._source.uuid(),
            account=account,
            instrument=instrument,
            side=side,
            qty=qty,
            created=at,
            **terms,
        )

    def announce(self, order: Order, at: int) -> None:
        """The order is live: a `new` frame."""
        order.status, order.updated = "new", at
        if self._mix.lifecycle:
            self._event(order, "new", at)

    def cancel(self, order: Order, at: int) -> None:
        """The order is over, filled in part or not at all."""
        order.status, order.canceled, order.updated = "canceled", at, at
        if self._mix.lifecycle:
            self._event(order, "canceled", at)

    def fill(
        self,
        order: Order,
        pieces: Sequence[tuple[int, int, int]],
        *,
        complete: bool = True,
        confirm: bool = True,
    ) -> None:
        """Execute pieces (instant, price, quantity) of an order, in this order.

        The last piece fills the order unless it is not `complete`. With `confirm`
        some of the executions are told by REST too.
        """
        received = 0
        for position, (instant, price, qty) in enumerate(pieces, start=1):
            final = complete and position == len(pieces)
            execution = Execution(self._source.uuid(), instant, price, qty)
            held = self._apply(order, execution, final)
            received = max(received, instant) + LATENCY
            event = "fill" if final else "partial_fill"
            stamp = nano_instant_text(instant, self._source.below(1000))
            self._frame(
                order.account,
                received,
                {
                    "event": event,
                    "timestamp": stamp,
                    "order": order.body(),
                    "price": price_text(price),
                    "qty": qty_text(qty),
                    "position_qty": qty_text(held),
                    "execution_id": execution.id,
                },
            )
            if confirm and self._source.chance(self._mix.on_rest):
                self.report(order, execution, final)

    def _apply(self, order: Order, execution: Execution, final: bool) -> int:
        """Book an execution; returns the position after it."""
        order.executions.append(execution)
        order.filled += execution.qty
        order.paid += execution.price * execution.qty
        order.filled_at = execution.instant
        order.updated = execution.instant + LATENCY // 2
        order.status = "filled" if final else "partially_filled"
        sign = 1 if order.side == "buy" else -1
        return self.adjust(order.account, order.instrument.symbol, sign * execution.qty)

    def fill_spread(self, order: Order, instant: int, prices: Sequence[int]) -> None:
        """Execute a multi-leg order at once, each leg at its price: one frame."""
        told, held, net = [], {}, 0
        for position, (leg, price) in enumerate(zip(order.legs, prices, strict=True)):
            moment = instant + 5 * position
            execution = Execution(self._source.uuid(), moment, price, leg.qty)
            symbol = leg.instrument.symbol
            held[symbol] = qty_text(self._apply(leg, execution, True))
            net += price if leg.side == "buy" else -price
            told.append(
                {
                    "execution_id": execution.id,
                    "qty": qty_text(leg.qty),
                    "price": price_text(price),
                    "order_id": leg.id,
                    "symbol": symbol,
                    "timestamp": instant_text(moment),
                }
            )
            if self._source.chance(self._mix.on_rest):
                self.report(leg, execution, True)
        order.filled, order.paid = order.qty, net * order.qty
        order.status = "filled"
        order.filled_at = order.updated = instant + 5 * len(told)
        self._frame(
            order.account,
            order.updated + LATENCY,
            {
                "at": instant_text(order.updated + LATENCY // 2),
                "event_id": self._source.ulid(order.updated),
                "event": "fill",
                "timestamp": instant_text(order.updated),
                "order": order.body(),
                "price": price_text(net),
                "qty": qty_text(order.qty),
                "position_qtys": held,
                "legs": told,
            },
        )

    def bust(self, order: Order, at: int) -> None:
        """The exchange takes back the order's last execution."""
        gone = order.executions.pop()
        order.filled -= gone.qty
        order.paid -= gone.price * gone.qty
        sign = -1 if order.side == "buy" else 1
        self._amend(order, at, gone, gone.price, sign * gone.qty, bust=True)

    def correct(self, order: Order, at: int, price: int) -> None:
        """The exchange changes the price of the order's last execution."""
        gone = order.executions.pop()
        order.executions.append(Execution(gone.id, gone.instant, price, gone.qty))
        order.paid += (price - gone.price) * gone.qty
        self._amend(order, at, gone, price, 0, bust=False)

    def _amend(
        self,
        order: Order,
        at: int,
        gone: Execution,
        price: int,
        change: int,
        *,
        bust: bool,
    ) -> None:
        order.updated = at
        held = self.adjust(order.account, order.instrument.symbol, change)
        data = {
            "event": "trade_bust" if bust else "trade_correct",
            "timestamp": instant_text(at),
            "order": order.body(),
            "price": price_text(price),
            "qty": qty_text(-gone.qty if bust else gone.qty),
            "position_qty": qty_text(held),
            "execution_id": self._source.uuid(),
            "previous_execution_id": gone.id,
        }
        if bust:
            data["reason"] = "TRADE_BUST"
        self._frame(order.account, at + LATENCY, data)

    def report(self, order: Order, execution: Execution, final: bool) -> None:
        """Tell an execution, the order's last so far, as a FILL activity of REST."""
        left = order.qty - order.filled if order.qty else 0
        self.activity(
            order.account,
            execution.instant + self._source.between(5 * SECOND, MINUTE),
            {
                "id": f"{_new_york_digits(execution.instant)}::{execution.id}",
                "activity_type": "FILL",
                "transaction_time": instant_text(execution.instant),
                "type": "fill" if final else "partial_fill",
                "price": price_text(execution.price),
                "qty": qty_text(execution.qty),
                "side": order.side,
                "symbol": order.instrument.symbol,
                "leaves_qty": qty_text(left),
                "order_id": order.id,
                "cum_qty": qty_text(order.filled),
                "order_status": order.status,
            },
        )

    def activity(self, account: str, at: int, row: dict[str, Any]) -> None:
        """A row of REST's account activities, received at an instant."""
        self._recorder.add(at, "activities", orjson.dumps(row), account)

    def dated_activity(
        self, account: str, at: int, kind: str, day: date, net: int, **fields: str
    ) -> None:
        """A non-trade activity: it has a date only; `net` in points of a dollar."""
        row = {
            "id": f"{day:%Y%m%d}000000000::{self._source.uuid()}",
            "activity_type": kind,
            "date": day.isoformat(),
            "net_amount": price_text(net),
            **fields,
        }
        self.activity(account, at, row)

    def order_row(self, order: Order, at: int) -> None:
        """A row of REST's orders, children nested: all that links a bracket's legs."""
        self._recorder.add(at, "orders", orjson.dumps(order.body()), order.account)

    def _event(self, order: Order, event: str, at: int) -> None:
        data = {
            "event": event,
            "timestamp": instant_text(at),
            "order": order.body(),
            "execution_id": self._source.uuid(),
        }
        self._frame(order.account, at + LATENCY // 2, data)

    def _frame(self, account: str, at: int, data: dict[str, Any]) -> None:
        message = orjson.dumps({"stream": "trade_updates", "data": data})
        self._recorder.add(at, "trade_updates", message, account)
        if self._source.chance(self._mix.redelivered):
            again = at + self._source.between(SECOND // 20, 90 * SECOND)
            self._recorder.add(again, "trade_updates", message, account)


def _new_york_digits(instant: int) -> str:
    """How a fill's activity id begins: New York's clock, yyyymmddHHMMSSmmm."""
    day = date.fromisoformat(instant_text(instant)[:10])
    local = instant_text(instant - new_york_hours(day) * 60 * MINUTE)
    return "".join(c for c in local[:23] if c.isdigit())
