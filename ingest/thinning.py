"""Leaving out quotes that no statistic can see.

A liquid symbol is quoted hundreds of times a second, while a position's extremes need
only the highest and the lowest mid. Of each symbol and second the first quote is kept,
and of the others the highest and the lowest mid where they lie beyond the first's: one
row in a quiet second, never more than three, and no extreme is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    """One second of one symbol. ``high`` and ``low`` begin at the first usable mid.

    A held line came later and lies beyond it; its order is that of arrival.
    """

    second: int
    opened: float
    high: float = -math.inf
    low: float = math.inf
    high_line: bytes = b""
    low_line: bytes = b""
    high_order: int = 0
    low_order: int = 0


class Thinner:
    """Decides which quotes are kept; not for several threads.

    The first quote of a symbol in a second of its own timestamps is returned at once.
    The extremes are returned when the second is over: a quote of that symbol in
    another second arrives, or ``hold_seconds`` passed since the first one, or at
    flush(). On equal mids the earlier quote is kept. Lines are returned in the order
    of their arrival.

    A quote without a usable mid is kept only as the first of its second; then the
    first usable one is kept at once as well, four rows at most. A quote of a second
    that is over already begins that second anew, which keeps more, never less.

    ``left_out`` counts the quotes that were not and will not be returned.
    """

    def __init__(self, keep_all: bool = False, hold_seconds: float = 1.0) -> None:
        self._keep_all = keep_all
        self._hold_seconds = hold_seconds
        # In the order of opening, which is that of ending: due() looks at the front.
        self._buckets: dict[str, _Bucket] = {}
        self._order = 0
        self.left_out = 0

    def offer(
        self, symbol: str, second: int, mid: float | None, line: bytes, now: float
    ) -> bytes:
        """Take a quote; returns the lines to keep right now, possibly none.

        ``second`` is of the quote's own timestamp, ``mid`` None where bid and ask make
        none, ``now`` monotonic seconds, never less than before.
        """
        if self._keep_all:
            return line
        bucket = self._buckets.get(symbol)
        if (
            bucket is None
            or bucket.second != second
            or now - bucket.opened >= self._hold_seconds
        ):
            return self._open(symbol, second, mid, line, now)
        if mid is not None:
            if mid > bucket.high:
                if bucket.high == -math.inf:  # the first usable one
                    bucket.high = bucket.low = mid
                    return line
                if bucket.high_line:
                    self.left_out += 1
                self._order += 1
                bucket.high, bucket.high_line = mid, line
                bucket.high_order = self._order
                return b""
            if mid < bucket.low:
                if bucket.low_line:
                    self.left_out += 1
                self._order += 1
                bucket.low, bucket.low_line = mid, line
                bucket.low_order = self._order
                return b""
        self.left_out += 1
        return b""

    def _open(
        self, symbol: str, second: int, mid: float | None, line: bytes, now: float
    ) -> bytes:
        ended = self._buckets.pop(symbol, None)
        bucket = self._buckets[symbol] = _Bucket(second, now)
        if mid is not None and not math.isnan(mid):
            bucket.high = bucket.low = mid
        if ended is None:
            return line
        return _held([ended]) + line

    def due(self, now: float) -> bytes:
        """The held lines of seconds that are over; call it a few times a second."""
        ended: list[str] = []
        for symbol, bucket in self._buckets.items():
            if now - bucket.opened < self._hold_seconds:
                break
            ended.append(symbol)
        return _held([self._buckets.pop(symbol) for symbol in ended])

    def flush(self) -> bytes:
        """All held lines: nothing more is to come."""
        ended = list(self._buckets.values())
        self._buckets.clear()
        return _held(ended)


def _held(buckets: list[_Bucket]) -> bytes:
    """The extremes of buckets in the order of arrival."""
    lines = [(bucket.high_order, bucket.high_line) for bucket in buckets]
    lines += [(bucket.low_order, bucket.low_line) for bucket in buckets]
    lines.sort()
    return b"".join([line for _, line in lines])
