"""The market: instruments, their prices of one day, and the marks that show them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate

from ingest.generator.plans import Instrument, Plan
from ingest.generator.sessions import SESSION, session_open
from ingest.generator.text import (
    CENT,
    MINUTE,
    Stream,
    cents_text,
    second_text,
)

_FINE = 64
"""A walk moves in 1/64 cent, so that a cheap stock can drift by less than a cent."""

_BLOCK = 120
"""Steps of marks that are formatted at a time: bounds memory, costs nothing."""

_LATENCY = 1_500
"""Microseconds from a quote's own time to its reception."""

_TRADE_EVERY = 16
"""Every sixteenth observation of a symbol is a trade, at the mid; the rest quotes."""


def _quantiles() -> tuple[float, ...]:
    """256 equally likely steps of deviation 1: symmetric, with heavier tails than a
    normal's, and made with arithmetic that every machine rounds alike."""
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
    shown: bytearray | None = field(default=None)

    def bid(self, step: int) -> int:
        """What a seller gets, in points."""
        return max(0, self.mids[step] - self.half) * CENT

    def ask(self, step: int) -> int:
        """What a buyer pays, in points."""
        return (self.mids[step] + self.half) * CENT

    def instant(self, step: int) -> int:
        """The time that the step's mark states."""
        return self.opened + step * self.step + self.offset - _LATENCY

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
        self._options = [i for i in plan.instruments if i.contract is not None]
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
        for option in self._options:
            contract = option.contract
            assert contract is not None
            if day <= contract.expiry:
                tapes[option.symbol] = self._derive(option, tapes, day)
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

    def _derive(self, option: Instrument, tapes: dict[str, Tape], day: date) -> Tape:
        contract = option.contract
        assert contract is not None
        under = tapes[contract.underlying].mids
        steps = len(under)
        sessions = (contract.expiry - day).days * 5 // 7 + 1
        spread = 0.8 * contract.volatility * under[0]
        per_step = spread * spread / (252 * steps)
        left = sessions * steps
        sign = 1 if contract.right == "C" else -1
        root = math.sqrt
        mids = []
        for step, price in enumerate(under):
            inside = sign * (price - contract.strike)
            value = (inside + root(inside * inside + per_step * (left - step))) / 2
            mids.append(int(value))
        half = 1 + mids[0] // 100
        move = max(round(mids[0] * 0.25), 4)
        return self._tape(option, day, mids, half, move)


def _templates(instrument: Instrument, offset: int) -> tuple[bytes, bytes, bytes]:
    """Patterns of a quote (second, bid, ask, second) and of a trade (second, price,
    id, second), and what follows a whole second in the time of reception."""
    symbol = instrument.symbol.encode()
    at = b".%06dZ" % offset
    stamp = b".%06d%03dZ" % (offset - _LATENCY, offset % 997)
    head = b'{"at":"%%b%b","from":"%b","msg":{"T":"%%b","S":"%b"'
    kind, venues, conditions = {
        "us_equity": (b"stock_data", (b'"bx":"V",', b'"ax":"Q",'), b'["R"],"z":"C"'),
        "us_option": (b"option_data", (b'"bx":"C",', b'"ax":"C",'), b'"A"'),
        "crypto": (b"crypto_data", (b"", b""), b""),
    }[instrument.asset_class]
    opening = head % (at, kind, symbol)
    suffix = b',"c":' + conditions if conditions else b""
    quote = (
        opening.replace(b'"T":"%b"', b'"T":"q"')
        + b","
        + venues[0]
        + b'"bp":%b,"bs":3,'
        + venues[1]
        + b'"ap":%b,"as":4'
        + suffix
        + b',"t":"%b'
        + stamp
        + b'"}}\n'
    )
    ending = {
        "us_equity": b',"i":%d,"x":"V","c":["@"],"z":"C"',
        "us_option": b',"x":"C","c":"I"',
        "crypto": b',"i":%d,"tks":"B"',
    }[instrument.asset_class]
    trade = (
        opening.replace(b'"T":"%b"', b'"T":"t"')
        + b',"p":%b,"s":1'
        + ending
        + b',"t":"%b'
        + stamp
        + b'"}}\n'
    )
    return quote, trade, at


class Printer:
    """Writes the marks of one tape, a block of steps at a time."""

    def __init__(self, tape: Tape, phase: int, flaw_every: int) -> None:
        self._tape = tape
        self._phase = phase
        self._flaw_every = flaw_every
        self._quote, self._trade, _ = _templates(tape.instrument, tape.offset)
        self._numbered = tape.instrument.asset_class != "us_option"
        self._low = min(tape.mids) - tape.half
        high = max(tape.mids) + tape.half
        # A day's prices repeat: each is formatted once, then looked up.
        self._texts = [
            cents_text(cents) if cents > 0 else b"0"
            for cents in range(self._low, high + 1)
        ]

    def lines(self, first: int, seconds: list[bytes]) -> list[bytes]:
        """Lines of the steps from `first` on; empty where a step is not shown."""
        tape, texts, quote = self._tape, self._texts, self._quote
        mids = tape.mids[first : first + len(seconds)]
        under = -tape.half - self._low
        over = tape.half - self._low
        lines = [
            quote % (second, texts[mid + under], texts[mid + over], second)
            for second, mid in zip(seconds, mids, strict=True)
        ]
        count = len(lines)
        for k in range((self._phase - first) % _TRADE_EVERY, count, _TRADE_EVERY):
            price = texts[mids[k] - self._low]
            if mids[k] > 0:
                number = 1 + self._phase * 100_000 + first + k
                lines[k] = self._trade % (
                    (seconds[k], price, number, seconds[k])
                    if self._numbered
                    else (seconds[k], price, seconds[k])
                )
        shift = 37 * self._phase - first
        for k in range(shift % self._flaw_every, count, self._flaw_every):
            # By turns without a bid, and crossed: marks that nobody may use.
            bid, ask = b"0", texts[mids[k] + over]
            if (first + k) % 2:
                bid, ask = ask, texts[mids[k] + under]
            lines[k] = quote % (seconds[k], bid, ask, seconds[k])
        if tape.shown is not None:
            shown = tape.shown[first : first + count]
            lines = [
                line if show else b"" for line, show in zip(lines, shown, strict=True)
            ]
        return lines


def mark_rows(
    tapes: dict[str, Tape], flaw_every: int
) -> Iterator[tuple[int, list[int], tuple[bytes, ...]]]:
    """Per step of the day: its instant, each symbol's offset from it, and the lines."""
    if not tapes:
        return
    printers = [
        Printer(tape, phase, flaw_every) for phase, tape in enumerate(tapes.values())
    ]
    offsets = [tape.offset for tape in tapes.values()]
    sample = next(iter(tapes.values()))
    steps = len(sample.mids)
    for first in range(0, steps, _BLOCK):
        instants = [
            sample.opened + step * sample.step
            for step in range(first, min(first + _BLOCK, steps))
        ]
        seconds = [second_text(instant).encode() for instant in instants]
        blocks = [printer.lines(first, seconds) for printer in printers]
        for instant, row in zip(instants, zip(*blocks, strict=True), strict=True):
            yield instant, offsets, row


def steps_of(plan: Plan, minutes: int) -> int:
    """Steps of the plan in so many minutes, at least one."""
    return max(1, minutes * MINUTE // plan.step)
