"""One (account, symbol) and all that happens in it, as lines of a recording.

A Lane states what happened and in which way it was delivered. Its ids are made from
its number, in an order of their own, so that any number of lanes fit into one
database and a copy under another number keeps its ties.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

STOCK, OPTION, CRYPTO = "stock", "option", "crypto"


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A fill, bust or correction.

    Attributes:
        number: Names it within the lane.
        order: Its order's number; orders of one instant come by it.
        kind: ``fill``, ``bust`` or ``correct``.
        names: The number of the execution that a bust or correction takes back.
        quantity: Positive; what the order had bought or sold before is in
            ``cumulative``, this included.
        nanoseconds: Three digits below the microsecond, which must not matter.
        delivery: ``stream``, ``rest`` or ``both``.
        early: Delivered before everything else.
    """

    number: int
    order: int
    side: str
    quantity: Decimal
    price: Decimal
    cumulative: Decimal
    at: datetime
    kind: str = "fill"
    names: int | None = None
    nanoseconds: str = "000"
    delivery: str = "stream"
    early: bool = False


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A quote (``price`` is None) or a trade; usable or not."""

    at: datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    price: Decimal | None = None
    nanoseconds: str = "000"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A non-trade activity. ``status`` canceled takes back the row of its number."""

    number: int
    type: str
    day: date
    quantity: Decimal
    price: Decimal | None = None
    amount: Decimal = Decimal(0)
    description: str = ""
    status: str = "executed"


@dataclass(frozen=True, kw_only=True)
class Lane:
    """What happened to one symbol in one account.

    ``symbol_number`` is another lane's where both trade the same symbol: then only
    one of them states the observations, because marks belong to a symbol.
    """

    number: int
    kind: str
    executions: tuple[Execution, ...]
    observations: tuple[Observation, ...] = ()
    rows: tuple[Row, ...] = ()
    account: str = "plain"
    symbol_number: int | None = None

    @property
    def symbol(self) -> str:
        number = self.number if self.symbol_number is None else self.symbol_number
        letters = ""
        for _ in range(4):
            number, letter = divmod(number, 26)
            letters = chr(ord("A") + letter) + letters
        if self.kind == OPTION:
            return f"{letters}250321C00100000"
        return f"{letters}/USD" if self.kind == CRYPTO else f"Z{letters}"

    @property
    def key(self) -> tuple[str, str]:
        return self.account, self.symbol

    def lines(self) -> list[str]:
        """The recording of this lane, in the order in which it was delivered."""
        timed: list[tuple[bool, datetime, str]] = []
        for mark in self.observations:
            timed.append((True, mark.at, self._mark(mark)))
        for execution in self.executions:
            late = not execution.early
            if execution.delivery != "rest":
                timed.append((late, execution.at, self._frame(execution)))
            if execution.delivery != "stream":
                timed.append((late, execution.at, self._fill_row(execution)))
        for row in self.rows:
            at = datetime(row.day.year, row.day.month, row.day.day, 23, tzinfo=UTC)
            timed.append((True, at, self._activity(row)))
        # Stable: what is delivered at one instant stays as it was stated.
        return [line for _, _, line in sorted(timed, key=lambda entry: entry[:2])]

    def execution_id(self, number: int) -> str:
        return self._id(2, number)

    def _id(self, kind: int, number: int) -> str:
        return f"{self.number:08x}-{kind:04x}-4000-8000-{number:012x}"

    def _line(self, at: datetime, channel: str, message: dict[str, Any]) -> str:
        envelope = {"at": _instant(at, ""), "from": channel, "account": self.account}
        text = json.dumps({**envelope, "msg": message}, default=_digits)
        return text.replace(f'"{_MARKER}', "").replace(f'{_MARKER}"', "")

    def _mark(self, mark: Observation) -> str:
        message: dict[str, Any] = {"S": self.symbol}
        if mark.price is None:
            message |= {"T": "q", "bp": mark.bid, "ap": mark.ask, "bs": 1, "as": 1}
        else:
            message |= {"T": "t", "p": mark.price, "s": 1}
        message["t"] = _instant(mark.at, mark.nanoseconds)
        return self._line(mark.at, f"{self.kind}_data", message)

    def _frame(self, execution: Execution) -> str:
        e = execution
        events = {"fill": "fill", "bust": "trade_bust", "correct": "trade_correct"}
        classes = {STOCK: "us_equity", OPTION: "us_option", CRYPTO: "crypto"}
        order_id, sent = self._id(1, e.order), _instant(e.at, "")
        order = {
            "id": order_id,
            "client_order_id": order_id,
            "symbol": self.symbol,
            "asset_class": classes[self.kind],
            "side": e.side,
            "order_type": "market",
            "status": "filled",
            "qty": None,
            "filled_qty": f"{e.cumulative:f}",
            "submitted_at": sent,
            "updated_at": sent,
        }
        data: dict[str, Any] = {
            "event": events[e.kind],
            "timestamp": _instant(e.at, e.nanoseconds),
            "execution_id": self.execution_id(e.number),
            "price": f"{e.price:f}",
            "qty": f"{-e.quantity if e.kind == 'bust' else e.quantity:f}",
            "order": order,
        }
        if e.names is not None:
            data["previous_execution_id"] = self.execution_id(e.names)
        message = {"stream": "trade_updates", "data": data}
        return self._line(e.at, "trade_updates", message)

    def _fill_row(self, execution: Execution) -> str:
        e = execution
        clock = e.at.strftime("%Y%m%d%H%M%S000")
        message = {
            "id": f"{clock}::{self.execution_id(e.number).upper()}",
            "activity_type": "FILL",
            "transaction_time": _instant(e.at, ""),
            "type": "fill",
            "symbol": self.symbol,
            "side": e.side,
            "qty": f"{e.quantity:f}",
            "price": f"{e.price:f}",
            "cum_qty": f"{e.cumulative:f}",
            "leaves_qty": "0",
            "order_id": self._id(1, e.order).upper(),
        }
        return self._line(e.at, "activities", message)

    def _activity(self, row: Row) -> str:
        message = {
            "id": f"{row.day:%Y%m%d}000000000::{self._id(3, row.number)}",
            "activity_type": row.type,
            "date": row.day.isoformat(),
            "net_amount": f"{row.amount:f}",
            "symbol": self.symbol,
            "qty": f"{row.quantity:f}",
            "status": row.status,
        }
        if row.price is not None:
            message["price"] = f"{row.price:f}"
        if row.description:
            message["description"] = row.description
        at = datetime(row.day.year, row.day.month, row.day.day, 23, tzinfo=UTC)
        return self._line(at, "activities", message)


#: Stands around bare digits until the quotes that JSON puts there are taken away.
_MARKER = "<digits>"


def _digits(value: Decimal) -> str:
    """Market data states prices as JSON numbers: bare digits, never a float."""
    return f"{_MARKER}{value:f}{_MARKER}"


def _instant(at: datetime, nanoseconds: str) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{nanoseconds}Z"
