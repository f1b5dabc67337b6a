"""When the lines of a spool were received, group commit by group commit."""

from __future__ import annotations

import math
from bisect import bisect_right

from ingest.spool.files import Position

# Hours of backlog would be hundreds of thousands of groups.
LIMIT = 4096


class Groups:
    """The end of each group commit and the monotonic time of its oldest line.

    Past LIMIT neighbours are joined under the older time: a long backlog is measured
    more coarsely, never as younger than it is.
    """

    def __init__(self) -> None:
        self._groups: list[tuple[Position, float]] = []

    def add(self, end: Position, since: float) -> None:
        """A group that ends behind all others."""
        if len(self._groups) >= LIMIT:
            self._join()
        self._groups.append((end, since))

    def _join(self) -> None:
        joined: list[tuple[Position, float]] = []
        is_open = False
        for end, since in self._groups:
            if is_open and joined[-1][0].segment == end.segment:
                joined[-1] = (end, joined[-1][1])
                is_open = False
            else:
                joined.append((end, since))
                is_open = True
        self._groups = joined

    def forget(self, end: Position) -> None:
        """Drop the groups that end at or before a position."""
        del self._groups[: self._after(end)]

    def within(self, start: Position, data: bytes) -> list[tuple[float, int]]:
        """Time and number of lines of each group in data, which begins at start."""
        found: list[tuple[float, int]] = []
        begin = 0
        for end, since in self._groups[self._after(start) :]:
            if begin == len(data):
                break
            stop = min(end.offset - start.offset, len(data))
            found.append((since, data.count(b"\n", begin, stop)))
            begin = stop
        return found

    def _after(self, position: Position) -> int:
        return bisect_right(self._groups, (position, math.inf))
