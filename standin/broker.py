"""The broker behind the sockets: what its accounts hold, and how events change it.

REST is a view of this; ``apply`` is told of every frame once, sent or not.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any, Generic, TypeVar

from standin import wire
from standin.clock import NEW_YORK, Clock
from standin.faults import RestFaults

Row = dict[str, Any]
T = TypeVar("T")

FILLS = ("fill", "partial_fill")
#: What the stream alone tells: REST's rows of the executions stay as they were.
REVISIONS = ("trade_bust", "trade_correct")
CLOSED = ("filled", "canceled", "expired", "rejected", "replaced")


class Versions(Generic[T]):
    """A value and its history, so that REST can lag behind the stream."""

    def __init__(self) -> None:
        self._known: list[tuple[float, T]] = []

    def add(self, value: T, lag: float = 0) -> None:
        """The value changes; REST may tell it ``lag`` seconds from now."""
        self._known.append((time.monotonic() + lag, value))

    @property
    def latest(self) -> T | None:
        return self._known[-1][1] if self._known else None

    @property
    def shown(self) -> T | None:
        """What REST may tell by now."""
        now = time.monotonic()
        for place in range(len(self._known) - 1, -1, -1):
            due, value = self._known[place]
            if due <= now:
                # What is older than what was told is never told any more.
                del self._known[:place]
                return value
        return None


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of a symbol; ``row`` where a recording states it literally."""

    symbol: str
    qty: Decimal
    entry_price: Decimal
    row: Row | None = None


@dataclass(slots=True)
class Activity:
    """A row of the activities, shown from ``due`` (monotonic seconds) on."""

    row: Row
    moment: datetime
    day: date
    due: float

    @property
    def id(self) -> str:
        return str(self.row["id"])


@dataclass(slots=True)
class Account:
    """One account: its keys and what the broker knows of it."""

    name: str
    key: str
    secret: str | None
    orders: dict[str, Versions[Row]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    positions: dict[str, Versions[Position]] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    executions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    latest_fill: dict[str, tuple[int, str, Decimal]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return wire.stable_uuid("account", self.name)

    def order(self, order_id: str) -> Row | None:
        """The order's true state, whatever REST may tell yet."""
        known = self.orders.get(order_id)
        return known.latest if known else None

    def quantity(self, symbol: str) -> Decimal:
        """What is truly held, negative where it is short."""
        known = self.positions.get(symbol)
        latest = known.latest if known else None
        return latest.qty if latest else Decimal(0)


@dataclass(frozen=True, slots=True)
class _Execution:
    """One execution, of a plain order or of a leg."""

    id: str
    order: Row
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    position_qty: Decimal | None
    moment: str
    event: str
    is_named: bool


class Broker:
    """Applies events to accounts. Belongs to one thread."""

    def __init__(self, clock: Clock, faults: RestFaults) -> None:
        self.clock, self._faults = clock, faults
        self._extra_lag = 0.0
        self.accounts: dict[str, Account] = {}
        #: Latest quote, trade and bars by family (stock, option, crypto) and symbol.
        self.market: dict[str, dict[str, dict[str, Row]]] = {}

    def add_account(self, name: str, key: str, secret: str | None) -> Account:
        self.accounts[name] = Account(name, key, secret)
        return self.accounts[name]

    def by_key(self, key: str | None, secret: str | None) -> Account | None:
        """The account of these keys; a secret of None in it means any."""
        for account in self.accounts.values():
            if account.key == key and account.secret in (None, secret):
                return account
        return None

    def apply(self, account: Account, frame: Any, *, is_hidden: bool = False) -> None:
        """A frame of the trading stream happened. What is no trade update does not.

        Where it is hidden, REST tells nothing until something later changes the same.
        """
        self._extra_lag = math.inf if is_hidden else 0.0
        try:
            self._apply(account, frame)
        finally:
            self._extra_lag = 0.0

    def _apply(self, account: Account, frame: Any) -> None:
        data = frame.get("data") if isinstance(frame, dict) else None
        if not isinstance(data, dict):
            return
        order = data.get("order")
        if not isinstance(order, dict) or not order.get("id"):
            return
        event = str(data.get("event"))
        self._apply_order(account, order, is_revision=event in REVISIONS)
        if event in FILLS:
            for execution in _executions(data, order):
                self._apply_fill(account, execution)
        elif event in REVISIONS:
            for execution in _executions(data, order):
                self._apply_revision(account, execution, data)

    def _apply_order(self, account: Account, order: Row, *, is_revision: bool) -> None:
        order_id = str(order["id"])
        known = account.orders.setdefault(order_id, Versions())
        before = known.latest
        if before is not None and not is_revision:
            filled, was = (
                wire.decimal(row.get("filled_qty")) or Decimal(0)
                for row in (order, before)
            )
            is_late = _nanoseconds(order) < _nanoseconds(before)
            # A frame that is told again, or late, takes nothing back.
            if filled < was or (filled == was and is_late):
                return
        known.add(order, self._faults.orders_lag + self._extra_lag)
        for leg in order.get("legs") or ():
            if isinstance(leg, dict) and leg.get("id"):
                account.parents[str(leg["id"])] = order_id
                self._apply_order(account, leg, is_revision=is_revision)

    def _apply_fill(self, account: Account, execution: _Execution) -> None:
        filled = wire.decimal(execution.order.get("filled_qty")) or Decimal(0)
        # A frame without an id may tell again what one with an id told.
        if execution.id in account.executions or (
            not execution.is_named
            and _fill_row(account, execution.order.get("id"), filled) is not None
        ):
            return
        account.executions[execution.id] = (execution.qty, execution.price)
        self._move(account, execution, filled)
        moment = wire.instant(execution.moment) or self.clock.now()
        is_other = self._faults.other_execution_ids
        execution_id = str(uuid.uuid4()) if is_other else execution.id
        whole = wire.decimal(execution.order.get("qty"))
        left = max(whole - filled, Decimal(0)) if whole is not None else Decimal(0)
        row = {
            "id": wire.activity_id(moment, execution_id),
            "activity_type": "FILL",
            "transaction_time": wire.iso(moment),
            "type": execution.event,
            "price": wire.plain(execution.price),
            "qty": self._faults.quantities.get(execution.id, wire.plain(execution.qty)),
            "side": execution.side,
            "symbol": execution.symbol,
            "leaves_qty": wire.plain(left),
            "order_id": execution.order.get("id"),
            "cum_qty": wire.plain(filled),
            "order_status": execution.order.get("status"),
        }
        self._add(account, row, self._faults.activities_lag + self._extra_lag)

    def _move(self, account: Account, execution: _Execution, filled: Decimal) -> None:
        """The position after a fill.

        Where fills are told out of order, the latest one knows what is held now.
        """
        signed = execution.qty if execution.side == "buy" else -execution.qty
        after = account.quantity(execution.symbol) + signed
        if execution.position_qty is not None:
            try:
                moment = wire.nanoseconds(execution.moment)
            except ValueError:
                moment = 0
            order_id = str(execution.order.get("id"))
            before = account.latest_fill.get(execution.symbol)
            if before is not None:
                is_late = (
                    filled < before[2] if order_id == before[1] else moment < before[0]
                )
                if is_late:
                    return
            account.latest_fill[execution.symbol] = (moment, order_id, filled)
            after = execution.position_qty
        self.hold(account, execution.symbol, after, execution.price)

    def _apply_revision(
        self, account: Account, execution: _Execution, data: Row
    ) -> None:
        if execution.id in account.executions:
            return
        account.executions[execution.id] = (execution.qty, execution.price)
        replaced = account.executions.get(str(data.get("previous_execution_id")))
        change = execution.qty
        if execution.event == "trade_correct":
            change -= replaced[0] if replaced else execution.qty
        signed = change if execution.side == "buy" else -change
        after = account.quantity(execution.symbol) + signed
        if execution.position_qty is not None:
            after = execution.position_qty
        self.hold(account, execution.symbol, after, execution.price)

    def hold(self, account: Account, symbol: str, qty: Decimal, price: Decimal) -> None:
        """The account holds ``qty`` now; what it added was bought at ``price``."""
        known = account.positions.setdefault(symbol, Versions())
        before = known.latest or Position(symbol, Decimal(0), Decimal(0))
        if before.qty * qty <= 0:
            entry = price
        elif abs(qty) > abs(before.qty):
            added = abs(qty) - abs(before.qty)
            cost = before.entry_price * abs(before.qty) + price * added
            entry = cost / abs(qty)
        else:
            entry = before.entry_price
        lag = self._faults.positions_lag + self._extra_lag
        known.add(Position(symbol, qty, entry), lag)

    def add_activity(self, account: Account, row: Row, lag: float = 0) -> None:
        """A row is listed from now on; one with the same id replaces the older one.

        A non-trade row with a symbol and a quantity moves the position, as an expiry
        does; canceling it moves it back. A recorded FILL row takes the place of the
        one that the fill's own frame made.
        """
        if row.get("activity_type") == "FILL":
            cum = wire.decimal(row.get("cum_qty"))
            own = _fill_row(account, row.get("order_id"), cum)
            if own is not None:
                del account.activities[own.id]
        else:
            before = account.activities.get(str(row.get("id")))
            change = _moved(row) - (_moved(before.row) if before else Decimal(0))
            if change and row.get("symbol"):
                symbol = str(row["symbol"])
                price = wire.decimal(row.get("price")) or Decimal(0)
                self.hold(account, symbol, account.quantity(symbol) + change, price)
        self._add(account, row, lag)

    def _add(self, account: Account, row: Row, lag: float) -> None:
        moment = wire.instant(row.get("transaction_time"))
        if moment is not None:
            day = moment.astimezone(NEW_YORK).date()
        else:
            day = date.fromisoformat(str(row.get("date")))
            moment = datetime.combine(day, time_of_day(), NEW_YORK)
            created = wire.instant(row.get("created_at"))
            moment = max(moment, created) if created else moment
        due = time.monotonic() + lag
        account.activities[str(row["id"])] = Activity(row, moment, day, due)

    def add_order(self, account: Account, row: Row) -> None:
        """REST's row of an order is this from now on."""
        self._apply_order(account, row, is_revision=True)

    def add_position(self, account: Account, row: Row) -> None:
        """REST's row of a position is this, until a fill changes it."""
        qty, entry = (
            wire.decimal(row.get(name)) or Decimal(0)
            for name in ("qty", "avg_entry_price")
        )
        if row.get("side") == "short":
            qty = -abs(qty)
        symbol = str(row["symbol"])
        known = account.positions.setdefault(symbol, Versions())
        known.add(Position(symbol, qty, entry, row))

    def observe(self, family: str, message: Row) -> None:
        """Remember the latest market data, for snapshots and current prices."""
        kind = {
            "t": "latestTrade",
            "q": "latestQuote",
            "b": "minuteBar",
            "u": "minuteBar",
            "d": "dailyBar",
        }.get(str(message.get("T")))
        if kind is not None:
            symbols = self.market.setdefault(family, {})
            symbols.setdefault(str(message["S"]), {})[kind] = message


def _fill_row(
    account: Account, order_id: Any, cum_qty: Decimal | None
) -> Activity | None:
    """The FILL row of an order's execution up to ``cum_qty``."""
    wanted = ("FILL", order_id, cum_qty)
    for activity in account.activities.values():
        row = activity.row
        cum = wire.decimal(row.get("cum_qty"))
        if (row.get("activity_type"), row.get("order_id"), cum) == wanted:
            return activity
    return None


def _moved(row: Row) -> Decimal:
    if row.get("status") == "canceled":
        return Decimal(0)
    # Other rows with a quantity, as of dividends, state what was held.
    if row.get("activity_type") not in {"OPEXP", "OPASN", "OPEXC", "OPTRD", "SPLIT"}:
        return Decimal(0)
    return wire.decimal(row.get("qty")) or Decimal(0)


def _nanoseconds(order: Row) -> int:
    try:
        return wire.nanoseconds(str(order.get("updated_at")))
    except ValueError:
        return 0


def _executions(data: Row, order: Row) -> Iterator[_Execution]:
    event = str(data["event"])
    legs = {str(leg["id"]): leg for leg in order.get("legs") or () if "id" in leg}
    held = data.get("position_qtys") or {}
    of_legs = [
        (part, legs.get(str(part.get("order_id"))), held.get(part.get("symbol")))
        for part in data.get("legs") or ()
    ]
    for part, owner, position in of_legs or [(data, order, data.get("position_qty"))]:
        qty, price = wire.decimal(part.get("qty")), wire.decimal(part.get("price"))
        if owner is None or qty is None or price is None:
            continue
        # A fill without an id is a faulty frame; REST would know its id.
        execution_id = part.get("execution_id") or wire.stable_uuid(
            owner["id"], owner.get("filled_qty")
        )
        yield _Execution(
            id=str(execution_id),
            order=owner,
            symbol=str(part.get("symbol") or owner.get("symbol")),
            side=str(owner.get("side")),
            qty=qty,
            price=price,
            position_qty=wire.decimal(position),
            moment=str(part.get("timestamp") or data.get("timestamp")),
            event=event,
            is_named=bool(part.get("execution_id")),
        )
