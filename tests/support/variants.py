"""Histories changed in ways of which it is known what they change in the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal

from tests.support import reading, reference
from tests.support.histories import DAYS, NANO, NEW_YORK
from tests.support.lanes import STOCK, Execution, Lane, Observation, Row

#: Above twice any generated price, so that a mirrored price is still one.
MIRROR = Decimal(24)


def swapped(lane: Lane) -> Lane:
    """Bought becomes sold: the P&L changes its sign, the extremes their places."""
    sides = {"buy": "sell", "sell": "buy"}
    return replace(
        lane,
        executions=tuple(replace(e, side=sides[e.side]) for e in lane.executions),
        rows=tuple(
            replace(row, quantity=-row.quantity) if row.type == "OPTRD" else row
            for row in lane.rows
        ),
    )


def can_be_mirrored(lane: Lane) -> bool:
    """Whether prices are all there is: nothing closes at 0, no split scales them."""
    return not any(row.type in reading.MOVING for row in lane.rows)


def mirrored(lane: Lane) -> Lane:
    """Sides swapped and prices turned upside down: nothing changes but the side."""

    def flip(price: Decimal | None) -> Decimal | None:
        return MIRROR - price if price else price

    def observed(o: Observation) -> Observation:
        if o.price is not None:
            return replace(o, price=flip(o.price))
        return replace(o, bid=flip(o.ask), ask=flip(o.bid))

    turned = swapped(lane)
    return replace(
        turned,
        executions=tuple(replace(e, price=MIRROR - e.price) for e in turned.executions),
        observations=tuple(map(observed, lane.observations)),
    )


def cut(lane: Lane) -> Lane:
    """Its largest fill that no one amends in two, one right after the other."""
    amended = {e.names for e in lane.executions}
    fills = [e for e in lane.executions if e.kind == "fill" and e.number not in amended]
    if not fills:
        return lane
    whole = max(fills, key=lambda e: e.quantity)
    # Uneven, so that no part happens to end a position but for dust.
    part = (whole.quantity * Decimal("0.4371")).quantize(NANO)
    rest = whole.quantity - part
    first = replace(whole, quantity=part, cumulative=whole.cumulative - rest)
    number = max(e.number for e in lane.executions) + 1
    second = replace(whole, number=number, quantity=rest)
    executions = [*(first if e is whole else e for e in lane.executions), second]
    return replace(lane, executions=tuple(executions))


def can_be_split(lane: Lane) -> bool:
    """Whether it is a stock's, without other splits, and nothing of it is dust.

    What is dust depends on the unit.
    """
    return (
        lane.kind == STOCK
        and not any(row.type in reading.MOVING for row in lane.rows)
        and not any(p.is_dust_closed for p in reference.positions(lane.lines()))
    )


def ratio(lane: Lane) -> tuple[int, int]:
    """Old and new units of a split after which every quantity is exact."""
    whole = all(execution.quantity % 1 == 0 for execution in lane.executions)
    return ((2, 1), (5, 1), (1, 2), (1, 10))[lane.number % (4 if whole else 2)]


def split(lane: Lane) -> Lane:
    """As if there had been a split before the last day: no dollar changes.

    What was before it is stated in old units: fewer, of a higher price.
    """
    at = datetime.combine(DAYS[-1], time(4), NEW_YORK)
    old, new = ratio(lane)
    factor = Decimal(new) / Decimal(old)
    happened = _happened_at(lane)

    def traded(e: Execution) -> Execution:
        root = e
        while root.names is not None:
            root = next(x for x in lane.executions if x.number == root.names)
        if happened.get(root.number, at) >= at:
            # The order's place is by the quantity so far: it stays as it was.
            return e
        return replace(e, quantity=e.quantity / factor, price=e.price * factor)

    def observed(o: Observation) -> Observation:
        if o.at >= at:
            return o
        prices = {
            name: None if value is None else value * factor
            for name, value in (("bid", o.bid), ("ask", o.ask), ("price", o.price))
        }
        return replace(o, **prices)  # type: ignore[arg-type]

    removed = Row(
        number=90,
        type="SPLIT",
        day=DAYS[-1],
        quantity=Decimal(-7 * old),
        description="REMOVE",
    )
    added = replace(removed, number=91, quantity=Decimal(7 * new), description="ADD")
    return replace(
        lane,
        executions=tuple(map(traded, lane.executions)),
        observations=tuple(map(observed, lane.observations)),
        rows=(*lane.rows, removed, added),
    )


def _happened_at(lane: Lane) -> dict[int, datetime]:
    """When each standing fill counts as done, by its number."""
    ids = {lane.execution_id(e.number): e.number for e in lane.executions}
    fills = reference.standing(reading.read(lane.lines())).values()
    return {
        ids[fill.execution_id]: max(
            other.at
            for other in fills
            if other.order_id == fill.order_id and other.cumulative <= fill.cumulative
        )
        for fill in fills
    }


def apart(lane: Lane, change: Callable[[Lane], Lane], number: int, name: str) -> Lane:
    """The changed lane beside the unchanged one: same symbol, another account."""
    changed = replace(change(lane), number=number, account=name, observations=())
    return replace(changed, symbol_number=lane.number)


def alone(lane: Lane, change: Callable[[Lane], Lane], number: int, name: str) -> Lane:
    """The changed lane with a symbol and marks of its own."""
    return replace(change(lane), number=number, account=name)
