"""Positions by brute force: slow, exact, and independent of the SQL.

It shares no code and no idea with the models. It walks through each (account, symbol)
instant by instant with one open position in hand and writes down what that position
is worth at every observation; all results are read off that list at the end. Nothing
is summed by window, cut into legs, reduced to extremes or looked up again. Numbers
are fractions, so that it never rounds, but where a split does.

The rules are DESIGN's, "Words".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise

from tests.support.reading import Activity, Execution, Facts, read

DUST = Fraction(1, 10**8)
NINE_PLACES = 10**9

#: At one instant: a split, then fills, then what happens to options.
SPLIT, FILL, OPTION = range(3)

#: Where an event stands: instant, kind, then ids that no order of delivery changes.
Place = tuple[datetime, int, str, Fraction, str]


@dataclass(kw_only=True)
class Position:
    """From flat to flat. Quantities and prices are in the units at its end."""

    account: str
    symbol: str
    side: str
    multiplier: int
    entry_time: datetime
    execution_id: str | None
    exit_time: datetime | None = None
    is_dust_closed: bool = False
    open: Fraction = Fraction(0)  # signed
    cash: Fraction = Fraction(0)
    entry_quantity: Fraction = Fraction(0)
    entry_cash: Fraction = Fraction(0)
    exit_quantity: Fraction = Fraction(0)
    exit_cash: Fraction = Fraction(0)
    peak_quantity: Fraction = Fraction(0)
    entry_fill_count: int = 0
    exit_fill_count: int = 0
    #: (instant, P&L) of every observation, in order.
    worth: list[tuple[datetime, Fraction]] = field(default_factory=list)
    marked_at: list[datetime] = field(default_factory=list)
    last_mark: tuple[datetime, Fraction] | None = None
    #: What it is worth by its latest observation, None where that is too old.
    worth_now: Fraction | None = None

    @property
    def entry_price(self) -> Fraction:
        return self.entry_cash / self.entry_quantity

    @property
    def exit_price(self) -> Fraction:
        return self.exit_cash / self.exit_quantity

    @property
    def pnl(self) -> Fraction:
        return self.multiplier * self.cash

    def extreme(self, sign: int) -> tuple[Fraction, datetime]:
        """The largest (sign 1) or smallest (-1) P&L and when it was first seen."""
        best = max(sign * pnl for _, pnl in self.worth)
        return sign * best, min(at for at, pnl in self.worth if sign * pnl == best)

    @property
    def max_give_back(self) -> Fraction:
        """The largest fall from the highest P&L so far, which starts at 0."""
        highest = deepest = Fraction(0)
        for _, pnl in self.worth:
            highest = max(highest, pnl)
            deepest = max(deepest, highest - pnl)
        return deepest

    @property
    def max_mark_gap_seconds(self) -> Fraction:
        """The longest time without a mark, from entry to exit."""
        assert self.exit_time is not None
        times = [self.entry_time, *self.marked_at, self.exit_time]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        return max(Fraction(round(gap.total_seconds() * 10**6), 10**6) for gap in gaps)

    def observe(self, at: datetime, price: Fraction) -> None:
        self.worth_now = self.worth_at(price)
        self.worth.append((at, self.worth_now))

    def worth_at(self, price: Fraction) -> Fraction:
        return self.multiplier * (self.cash + self.open * price)

    def trade(self, amount: Fraction, price: Fraction) -> None:
        """Add a signed amount that does not cross zero."""
        if amount * self.open >= 0:
            self.entry_quantity += abs(amount)
            self.entry_cash += abs(amount) * price
            self.entry_fill_count += 1
        else:
            self.exit_quantity += abs(amount)
            self.exit_cash += abs(amount) * price
            self.exit_fill_count += 1
        self.open += amount
        self.cash -= amount * price
        self.peak_quantity = max(self.peak_quantity, abs(self.open))

    def split(self, factor: Fraction) -> None:
        """Turn each unit into ``factor`` units; no money moves.

        Earlier marks are of another unit.
        """
        exact = abs(self.open) * factor * NINE_PLACES
        rounded = Fraction(int(exact + Fraction(1, 2)), NINE_PLACES)
        ratio = rounded / abs(self.open)
        self.open *= ratio
        self.entry_quantity *= ratio
        self.exit_quantity *= ratio
        self.peak_quantity *= ratio
        self.last_mark = self.worth_now = None


@dataclass(frozen=True)
class Split:
    """A REMOVE and an ADD row of one instant."""

    factor: Fraction


Event = Execution | Activity | Split


def positions(lines: Iterable[str]) -> list[Position]:
    """Closed and open positions of a recording, by account, symbol and time."""
    facts = read(lines)
    lanes: defaultdict[tuple[str, str], list[tuple[Place, Event]]] = defaultdict(list)
    for lane, place, event in _events(facts):
        lanes[lane].append((place, event))
    found: list[Position] = []
    for lane in sorted(lanes):
        marks = sorted(facts.marks.get(lane[1], ()))
        found += _walk(*lane, sorted(lanes[lane], key=lambda e: e[0]), marks)
    return found


def multiplier_of(symbol: str) -> int:
    return 100 if re.fullmatch(r"[A-Z]{1,5}\d{6,7}[CP]\d{8}", symbol) else 1


def standing(facts: Facts) -> dict[str, Execution]:
    """The executions that stand, by id, with what corrections restate."""
    fills = {name: e for name, e in facts.executions.items() if e.kind == "fill"}
    words: defaultdict[str, list[tuple[int, datetime, str, Execution]]]
    words = defaultdict(list)
    for execution in facts.executions.values():
        root, depth = execution, 0
        while root.names is not None:
            root, depth = facts.executions[root.names], depth + 1
        if depth:
            word = (execution.at, depth, execution.execution_id, execution)
            words[root.execution_id].append(word)
    result = {}
    for name, fill in fills.items():
        if name not in words:
            result[name] = fill
            continue
        last = max(words[name], key=lambda word: word[:3])[3]
        if last.kind == "correct":
            amount, price = last.signed_quantity, last.price
            result[name] = replace(fill, signed_quantity=amount, price=price)
    return result


def _events(facts: Facts) -> Iterator[tuple[tuple[str, str], Place, Event]]:
    orders: defaultdict[tuple[str, str], list[Execution]] = defaultdict(list)
    for fill in standing(facts).values():
        orders[fill.account, fill.order_id].append(fill)
    for fill in (fill for fills in orders.values() for fill in fills):
        # A broker may report a later execution of an order with an earlier time.
        at = max(
            other.at
            for other in orders[fill.account, fill.order_id]
            if other.cumulative <= fill.cumulative
        )
        place = (at, FILL, fill.order_id, fill.cumulative, fill.execution_id)
        yield (fill.account, fill.symbol), place, fill
    removed: dict[tuple[str, str, datetime], Fraction] = {}
    added: dict[tuple[str, str, datetime], Fraction] = {}
    for row in facts.activities:
        if row.type != "SPLIT":
            place = (row.at, OPTION, "", Fraction(0), f"{row.type}:{row.id}")
            yield (row.account, row.symbol), place, row
            continue
        taken_out = row.description.startswith("REMOVE") or (
            not row.description and row.quantity < 0
        )
        side = removed if taken_out else added
        side[row.account, row.symbol, row.at] = abs(row.quantity)
    for key in removed.keys() & added.keys():
        account, symbol, at = key
        place = (at, SPLIT, "", Fraction(0), "")
        yield (account, symbol), place, Split(added[key] / removed[key])


def _walk(
    account: str,
    symbol: str,
    events: list[tuple[Place, Event]],
    marks: list[tuple[datetime, Fraction]],
) -> Iterator[Position]:
    """All positions of one lane, the open one last."""
    position: Position | None = None
    for at in sorted({place[0] for place, _ in events} | {at for at, _ in marks}):
        for place, event in events:
            if place[0] != at:
                continue
            if isinstance(event, Split):
                if position is not None:
                    position.split(event.factor)
                continue
            amount, price = _amount(event, position)
            is_fill = isinstance(event, Execution) or event.type == "OPTRD"
            while amount:
                if position is None:
                    if abs(amount) < DUST:
                        break
                    position = _opened(account, symbol, at, amount, event)
                taken = _taken(position, amount)
                position.trade(taken, price)
                amount -= taken
                if not position.open:
                    position.is_dust_closed = 0 < abs(amount) < DUST
                elif abs(position.open) < DUST:
                    # The fill that left a remainder closed that too.
                    position.trade(-position.open, price)
                    position.exit_fill_count -= 1
                    position.is_dust_closed = True
                if is_fill or not position.open:
                    position.observe(at, price)
                else:
                    # A part was taken away for nothing: no price of the rest.
                    position.worth_now = None
                if position.open:
                    break
                position.exit_time = at
                yield position
                position = None
                if abs(amount) < DUST:
                    break
        # At the very instant of a fill, a mark values what is open after it. Marks of
        # one instant have no order: they are taken as if the P&L rose between them.
        if position is not None:
            now = [price for instant, price in marks if instant == at]
            for price in sorted(
                now, key=lambda p: p * (1 if position.open > 0 else -1)
            ):
                position.observe(at, price)
                position.marked_at.append(at)
            if now:
                # Of several the highest is shown, so that it is always the same one.
                position.last_mark = (at, max(now))
                position.worth_now = position.worth_at(max(now))
    if position is not None:
        yield position


def _amount(
    event: Execution | Activity, position: Position | None
) -> tuple[Fraction, Fraction]:
    """The signed amount that an event trades, and at what price."""
    if isinstance(event, Execution):
        return event.signed_quantity, event.price
    if event.type == "OPTRD":
        return event.quantity, event.price
    # Expiry, exercise, assignment: at most what is open, for nothing.
    if position is None:
        return Fraction(0), Fraction(0)
    magnitude = min(abs(event.quantity), abs(position.open))
    return (-magnitude if position.open > 0 else magnitude), Fraction(0)


def _taken(position: Position, amount: Fraction) -> Fraction:
    """How much of an amount belongs to this position: at most until it is flat."""
    if position.open * amount >= 0 or abs(amount) <= abs(position.open):
        return amount
    return -position.open


def _opened(
    account: str, symbol: str, at: datetime, amount: Fraction, event: Event
) -> Position:
    return Position(
        account=account,
        symbol=symbol,
        side="long" if amount > 0 else "short",
        multiplier=multiplier_of(symbol),
        entry_time=at,
        execution_id=event.execution_id if isinstance(event, Execution) else None,
    )
