"""The marks of a day as lines of a recording: the fast part of the generator."""

from collections.abc import Iterator

from ingest.generator.market import LATENCY, Tape
from ingest.generator.plans import Instrument
from ingest.generator.text import cents_text, second_text

_BLOCK = 120
"""Steps of marks that are formatted at a time: bounds memory, costs nothing."""

_TRADE_EVERY = 16
"""Every sixteenth observation of a symbol is a trade, at the mid; the rest quotes."""


def _templates(instrument: Instrument, offset: int) -> tuple[bytes, bytes]:
    """Patterns of an instrument's lines, to be completed by bytes formatting.

    A quote takes second, bid, ask, second; a trade second, price, id (not for an
    option), second.
    """
    symbol = instrument.symbol.encode()
    at = b".%06dZ" % offset
    stamp = b".%06d%03dZ" % (offset - LATENCY, offset % 997)
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
    return quote, trade


class Printer:
    """Writes the marks of one tape, a block of steps at a time."""

    def __init__(self, tape: Tape, phase: int, flaw_every: int) -> None:
        self._tape = tape
        self._phase = phase
        self._flaw_every = flaw_every
        self._quote, self._trade = _templates(tape.instrument, tape.offset)
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
