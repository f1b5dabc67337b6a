"""Generated lanes: what a broker can do to a position, and what it does rarely.

Instants come from a short list and prices from a narrow range, so that ties between
fills, marks and broker events are the rule and not the exception.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.support.lanes import (
    CRYPTO,
    OPTION,
    STOCK,
    Execution,
    Lane,
    Observation,
    Row,
)

#: Hypothesis' own function: what it draws depends on the strategy.
Draw = Callable[[st.SearchStrategy[Any]], Any]

NEW_YORK = ZoneInfo("America/New_York")

#: Daylight saving time begins between the first and the second.
DAYS = (date(2025, 3, 7), date(2025, 3, 10), date(2025, 3, 11))

#: New York wall clock times: those at which dated events happen are among them.
CLOCKS = (time(4), time(9, 30), time(9, 31), time(11), time(13), time(16), time(17))

INSTANTS = [
    datetime.combine(day, clock, NEW_YORK).astimezone(UTC)
    for day in DAYS
    for clock in CLOCKS
]

NANO = Decimal("0.000000001")

#: No fill is smaller than what counts as dust: the broker's minimum is far above it.
SMALLEST = Decimal("0.00000001")

#: Dust only where quantities are fractional, else it is a close like the others.
INTENTS = ("dust", "close", "dust", "flip", "add", "reduce", "close")

#: Old units to new ones. The last two only for whole quantities: they could turn a
#: small fraction into less than dust.
RATIOS = ((1, 2), (2, 3), (1, 4), (3, 1), (10, 1))

DELIVERIES = ("stream", "stream", "rest", "both")

WHOLE, FRACTIONAL = "whole", "fractional"
UNITS = (FRACTIONAL, WHOLE, FRACTIONAL)


@st.composite
def lanes(draw: Draw) -> Lane:
    """A lane with number 0; give it another with ``dataclasses.replace``."""
    kind = draw(st.sampled_from((STOCK, STOCK, STOCK, OPTION, OPTION, CRYPTO)))
    units = WHOLE if kind == OPTION else draw(st.sampled_from(UNITS))
    rows = _rows(draw, kind, units) if draw(st.booleans()) else []
    executions = _executions(draw, units, rows)
    executions += _amendments(draw, units, executions)
    observations = _observations(draw, [execution.at for execution in executions])
    return Lane(
        number=0,
        kind=kind,
        executions=tuple(executions),
        observations=tuple(observations),
        rows=tuple(rows),
    )


def _quantity(draw: Draw, units: str) -> Decimal:
    if units == WHOLE:
        return Decimal(draw(st.integers(1, 20)))
    return Decimal(draw(st.integers(1000, 20 * 10**9))) * NANO


def _price(draw: Draw) -> Decimal:
    if draw(st.booleans()):
        return Decimal(draw(st.integers(18, 22))) / 2
    return Decimal(draw(st.integers(90_000, 110_000))) / 10_000


def _nanoseconds(draw: Draw) -> str:
    return str(draw(st.sampled_from(("000", "001", "500", "999"))))


def _rows(draw: Draw, kind: str, units: str) -> list[Row]:
    rows: list[Row] = []

    def add(type_: str, day: date, quantity: Decimal, **more: object) -> None:
        row = Row(number=len(rows), type=type_, day=day, quantity=quantity)
        rows.append(replace(row, **more))  # type: ignore[arg-type]

    for day in DAYS:
        if draw(st.integers(0, 3)):
            continue
        if kind == OPTION:
            type_ = draw(st.sampled_from(("OPEXP", "OPASN", "OPEXC")))
            size = Decimal(draw(st.integers(1, 30)))
            add(type_, day, size * draw(st.sampled_from((1, -1))))
            if draw(st.integers(0, 4)) == 0:
                rows.append(replace(rows[-1], status="canceled"))
        elif kind == STOCK and draw(st.booleans()):
            old, new = draw(st.sampled_from(RATIOS if units == WHOLE else RATIOS[:3]))
            held = draw(st.integers(1, 50))
            told = draw(st.booleans())
            words = ("REMOVE old shares", "ADD new shares") if told else ("", "")
            add("SPLIT", day, Decimal(-old * held), description=words[0])
            add("SPLIT", day, Decimal(new * held), description=words[1])
        elif kind == STOCK:
            size = Decimal(draw(st.integers(1, 5)) * draw(st.sampled_from((1, -1))))
            add("OPTRD", day, size, price=_price(draw))
            add("DIV", day, Decimal(10), amount=Decimal("1.25"))
            add("FEE", day, Decimal(0), amount=Decimal("-0.02"))
    return rows


def _executions(draw: Draw, units: str, rows: list[Row]) -> list[Execution]:
    splits = _factors(rows)
    count = draw(st.integers(2, 8))
    places = sorted(draw(st.integers(0, len(INSTANTS) - 1)) for _ in range(count))
    # Not the order of time: what is at one instant is ordered by it alone.
    numbers = draw(st.permutations(range(count)))
    executions: list[Execution] = []
    net, before = Decimal(0), datetime(2025, 1, 1, tzinfo=UTC)
    for number, place in zip(numbers, places, strict=True):
        at = INSTANTS[place]
        for split_at, factor in splits:
            if before < split_at <= at:
                net = (net * factor).quantize(NANO, ROUND_HALF_UP)
        before = at
        amount = _amount(draw, units, net)
        net += amount
        side = "buy" if amount > 0 else "sell"
        total, earlier = Decimal(0), at
        for piece in _pieces(draw, units, abs(amount)):
            total += piece
            if total != piece and draw(st.integers(0, 3)) == 0:
                # A later execution of the order, with whatever time.
                shift = draw(st.sampled_from((-3600, -1, 1, 60)))
                earlier = at + timedelta(seconds=shift)
            executions.append(
                Execution(
                    number=len(executions),
                    order=number,
                    side=side,
                    quantity=piece,
                    price=_price(draw),
                    cumulative=total,
                    at=earlier,
                    nanoseconds=_nanoseconds(draw),
                    delivery=draw(
                        st.sampled_from(("stream", "stream", "rest", "both"))
                    ),
                )
            )
    return executions


def _factors(rows: list[Row]) -> list[tuple[datetime, Decimal]]:
    """When the quantity is multiplied, and by what."""
    splits = [row for row in rows if row.type == "SPLIT"]
    return [
        (
            datetime.combine(removed.day, time(4), NEW_YORK).astimezone(UTC),
            abs(added.quantity / removed.quantity),
        )
        for removed, added in zip(splits[::2], splits[1::2], strict=True)
    ]


def _amount(draw: Draw, units: str, net: Decimal) -> Decimal:
    """What an order trades, so that positions grow, shrink, close, flip and crumble."""
    quantity = _quantity(draw, units)
    if not net:
        return quantity * Decimal(draw(st.sampled_from((1, -1))))
    direction = 1 if net > 0 else -1
    intent = draw(st.sampled_from(INTENTS))
    if intent == "add":
        return direction * quantity
    if intent == "reduce":
        step = Decimal(1) if units == WHOLE else NANO
        part = (abs(net) * Decimal(draw(st.integers(1, 9))) / 10).quantize(
            step, ROUND_DOWN
        )
        return -direction * max(part, step if units == WHOLE else SMALLEST)
    if intent == "flip":
        return -net - direction * quantity
    if intent == "dust" and units == FRACTIONAL:
        off = Decimal(draw(st.integers(-12, 12))) * NANO
        return -direction * max(abs(net) + off, SMALLEST)
    return -net


def _pieces(draw: Draw, units: str, quantity: Decimal) -> list[Decimal]:
    pieces, step = [], Decimal(1) if units == WHOLE else NANO
    smallest = Decimal(1) if units == WHOLE else SMALLEST
    for _ in range(draw(st.sampled_from((0, 0, 1, 2, 3)))):
        piece = (quantity * draw(st.integers(1, 9)) / 10).quantize(step, ROUND_DOWN)
        if smallest <= piece <= quantity - smallest:
            pieces.append(piece)
            quantity -= piece
    return [*pieces, quantity]


def _amendments(draw: Draw, units: str, fills: list[Execution]) -> list[Execution]:
    """Busts and corrections, of fills and of corrections, before or after them."""
    made: list[Execution] = []

    def amend(kind: str, named: Execution, minutes: int, early: bool) -> Execution:
        correct = kind == "correct"
        made.append(
            replace(
                named,
                number=len(fills) + len(made),
                kind=kind,
                names=named.number,
                quantity=_quantity(draw, units) if correct else named.quantity,
                price=_price(draw) if correct else named.price,
                at=named.at + timedelta(minutes=minutes),
                delivery="stream",
                early=early,
            )
        )
        return made[-1]

    for fill in fills:
        if draw(st.integers(0, 9)) != 7:
            continue
        early = draw(st.booleans())
        plan = draw(st.sampled_from(("bust", "correct", "again", "chain", "twice")))
        kind = "bust" if plan == "bust" else "correct"
        first = amend(kind, fill, 5, early)
        last_kind = draw(st.sampled_from(("correct", "bust")))
        if plan == "chain":
            # The second may carry an earlier time than the one that it names.
            amend(last_kind, first, draw(st.sampled_from((-1, 0, 9))), not early)
        elif plan == "twice":
            amend(last_kind, fill, draw(st.sampled_from((4, 5, 6))), early)
    return made


def _observations(draw: Draw, fill_times: list[datetime]) -> list[Observation]:
    observations: list[Observation] = []
    for _ in range(draw(st.integers(3, 20))):
        if observations and draw(st.integers(0, 2)) == 0:
            at = observations[-1].at
        else:
            at = draw(st.sampled_from(INSTANTS + 2 * fill_times))
            at += timedelta(microseconds=draw(st.sampled_from((0, 0, 0, 1, -1))))
        seen = Observation(at=at, nanoseconds=_nanoseconds(draw))
        price = _price(draw)
        shape = draw(st.sampled_from("qqqttxyz0"))
        if shape == "q":
            spread = Decimal(draw(st.integers(0, 4))) / 100
            seen = replace(seen, bid=price, ask=price + spread)
        elif shape == "t":
            seen = replace(seen, price=price)
        # Unusable ones: crossed, one-sided either way, and a trade at nothing.
        elif shape == "x":
            seen = replace(seen, bid=price + 1, ask=price)
        elif shape == "y":
            seen = replace(seen, bid=Decimal(0), ask=price)
        elif shape == "z":
            seen = replace(seen, bid=price, ask=Decimal(0))
        else:
            seen = replace(seen, price=Decimal(0))
        observations.append(seen)
    return observations
