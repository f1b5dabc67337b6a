"""Histories as they arrive: most facts at once, some of them weeks late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from random import Random

from tests.support.lanes import Lane

#: The share of facts that come late, and by how much at most.
LATE_SHARE = 0.03
LATEST = timedelta(days=30)

_DATE = re.compile(r"\b2025-(?:02|03)-\d\d\b")
_RECEIVED = re.compile(r'"at": ?"([^"]+)"')


def joined(lanes: Sequence[Lane], lives: int = 3) -> Iterator[str]:
    """Lines in which each few histories of a kind are one lane, weeks apart.

    A lane then has a past that a late fact must leave alone.
    """
    by_kind: dict[str, list[Lane]] = {}
    for lane in lanes:
        by_kind.setdefault(lane.kind, []).append(lane)
    for alike in by_kind.values():
        for place, lane in enumerate(alike):
            first = alike[place - place % lives]
            for line in lane.lines():
                moved = _later(line, timedelta(weeks=place % lives))
                yield moved.replace(f'"{lane.symbol}"', f'"{first.symbol}"')


def _later(line: str, by: timedelta) -> str:
    return _DATE.sub(
        lambda found: (date.fromisoformat(found[0]) + by).isoformat(), line
    )


def batches(lines: Iterable[str], count: int, random: Random) -> list[list[str]]:
    """The lines in so many batches by arrival, each batch in random order.

    A line arrives when it says, but for LATE_SHARE of them up to LATEST later.
    """
    arrived = sorted((_arrival(line, random), line) for line in lines)
    cuts = sorted(random.sample(range(1, len(arrived)), count - 1))
    made = []
    for start, end in zip([0, *cuts], [*cuts, len(arrived)], strict=True):
        batch = [line for _, line in arrived[start:end]]
        random.shuffle(batch)
        made.append(batch)
    return made


def _arrival(line: str, random: Random) -> datetime:
    received = _RECEIVED.search(line)
    assert received, line
    at = datetime.fromisoformat(received[1].replace("Z", "+00:00"))
    return at + LATEST * random.random() if random.random() < LATE_SHARE else at
