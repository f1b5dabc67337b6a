"""The market: instruments, their prices of one day, and the marks that show them."""

import math
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from ingest.generator.plans import Contract, Instrument, Plan
from ingest.generator.sessions import SESSION, session_open
from ingest.generator.text import (
    CENT,
    Stream,
)

_FINE = 64
"""A walk moves in 1/64 cent, so that a cheap stock can drift by less than a cent."""

LATENCY = 1_500
"""Microseconds from a quote's own time to its reception."""


def _quantiles() -> tuple[float, ...]:
    """256 equally likely steps of deviation 1, symmetric, with somewhat heavy tails.

    Their arithmetic is one that every machine rounds alike.
    """
    units = [(2 * i + 1) / 256 - 1 for i in range(256)]
    raw = [u / math.sqrt(1.02 - u * u) for u in units]
    deviation = math.sqrt(sum(value * value for value in raw) / 256)
    return tuple(value / deviation for value in raw)


_STEPS = _quantiles()


@dataclass(slots=True)
class Tape:
    """One instrument's day, in cents per step of the plan.

    `half` is half of the quoted spread; `shown` tells which steps appear in the
    recording (None: all). `move` is a typical move of one day, for stops and targets.
    """

    instrument: Instrument
    opened: int
    step: int
    offset: int
    mids: list[int]
    half: int
    move: int
    shown: bytearray | None = None

    def bid(self, step: int) -> int:
        """What a seller gets, in points."""
        return max(0, self.mids[step] - self.half) * CENT

    def ask(self, step: int) -> int:
        """What a buyer pays, in points."""
        return (self.mids[step] + self.half) * CENT

    def instant(self, step: int) -> int:
        """The time that the step's mark states."""
        return self.opened + step * self.step + self.offset - LATENCY

    def show(self, first: int, last: int) -> None:
        """Make the recording hold the steps from first to last, both included."""
        if self.shown is not None:
            first, last = max(0, first), min(last, len(self.mids) - 1)
            self.shown[first : last + 1] = b"\x01" * (last + 1 - first)


class Market:
    """Prices of all instruments, one day after the other.

    A stock or a coin walks at random; overnight it gaps, and is drawn back by a
    sixteenth towards its first price, so that a year does not end in pennies. An
    option follows its underlying: Bachelier's value at a constant volatility, with a
    hyperbola in place of the normal distribution (exact far in and out of the money,
    at the money and in put-call parity; the square root is its only function).
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._last: dict[str, int] = {}
        self._spots = [i for i in plan.instruments if i.contract is None]
        self._options = [(i, i.contract) for i in plan.instruments if i.contract]
        count = len(plan.instruments)
        self._offsets = {
            instrument.symbol: 5_000 + position * (600_000 // count)
            for position, instrument in enumerate(plan.instruments)
        }

    def open(self, day: date) -> dict[str, Tape]:
        """The tapes of the day by symbol, in the order in which a step shows them."""
        for split in self._plan.splits:
            if split.day == day:
                self._last[split.symbol] //= split.ratio
        tapes = {spot.symbol: self._walk(spot, day) for spot in self._spots}
        for option, contract in self._options:
            if day <= contract.expiry:
                under = tapes[contract.underlying]
                tapes[option.symbol] = self._derive(option, contract, under, day)
        return {
            instrument.symbol: tapes[instrument.symbol]
            for instrument in self._plan.instruments
            if instrument.symbol in tapes
        }

    def _tape(
        self, instrument: Instrument, day: date, mids: list[int], half: int, move: int
    ) -> Tape:
        shown = None if self._plan.every_mark else bytearray(len(mids))
        return Tape(
            instrument=instrument,
            opened=session_open(day),
            step=self._plan.step,
            offset=self._offsets[instrument.symbol],
            mids=mids,
            half=half,
            move=move,
            shown=shown,
        )

    def _base(self, symbol: str, cents: int, day: date) -> int:
        """The price that an instrument is drawn to: its first, splits applied."""
        for split in self._plan.splits:
            if split.symbol == symbol and split.day <= day:
                cents //= split.ratio
        return cents

    def _walk(self, instrument: Instrument, day: date) -> Tape:
        plan, symbol = self._plan, instrument.symbol
        source = Stream(plan.seed, "walk", symbol, day)
        steps = SESSION // plan.step
        base = self._base(symbol, instrument.cents, day)
        last = self._last.get(symbol, base)
        scale = last * instrument.volatility
        gap = round(scale * 0.4 * _STEPS[source.octets(1)[0]])
        start = last + gap + (base - last) // 16
        fine = scale * _FINE / math.sqrt(steps)
        moves = [round(fine * quantile) for quantile in _STEPS]
        walk = accumulate(
            map(moves.__getitem__, source.octets(steps - 1)), initial=start * _FINE
        )
        mids = [value >> 6 for value in walk]
        self._last[symbol] = mids[-1]
        return self._tape(instrument, day, mids, instrument.half_spread, round(scale))

    def _derive(
        self, option: Instrument, contract: Contract, under: Tape, day: date
    ) -> Tape:
        steps = len(under.mids)
        sessions = (contract.expiry - day).days * 5 // 7 + 1
        spread = 0.8 * contract.volatility * under.mids[0]
        per_step = spread * spread / (252 * steps)
        left = sessions * steps
        sign = 1 if contract.right == "C" else -1
        root = math.sqrt
        mids = []
        for step, price in enumerate(under.mids):
            inside = sign * (price - contract.strike)
            value = (inside + root(inside * inside + per_step * (left - step))) / 2
            mids.append(int(value))
        half = 1 + mids[0] // 400
        # Near the money an option moves about half as far as its underlying.
        return self._tape(option, day, mids, half, max(4, under.move // 2))
