"""A batch of entries as the writer takes it: marks as columns, all else one by one.

Nearly all lines of a recording are marks. As columns they cross to another process and
into the database for a tenth of what their objects cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from ingest.facts import Mark
from ingest.recording import Entry, parse_line

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# One value per mark.
Columns = dict[str, np.ndarray[Any, Any]]


class Observed(NamedTuple):
    """Marks in the order of their delivery.

    ``symbols`` are named once, in ``columns["symbol"]`` by their place there; ``hints``
    holds each with what its channel tells of its asset class. ``ts`` are microseconds
    since EPOCH, as PostgreSQL sends them; bid and ask of a trade are NaN.
    """

    symbols: list[str]
    hints: set[tuple[str, str | None]]
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns["ts"])


@dataclass(frozen=True, slots=True)
class Batch:
    """``others`` are the entries that state something else than a mark, or nothing.

    ``entries()`` gives all of them, one by one, for the case that one of them is to
    blame.
    """

    others: list[Entry]
    observed: Observed
    entries: Callable[[], Sequence[Entry]]


def of_entries(entries: Sequence[Entry]) -> Batch:
    return Batch(*sorted_out(entries), lambda: entries)


def of_lines(lines: Sequence[bytes], sorted_: tuple[list[Entry], Observed]) -> Batch:
    """A batch that another process parsed; ``sorted_`` is what it found."""
    return Batch(*sorted_, lambda: [parse_line(line) for line in lines])


def sorted_out(entries: Sequence[Entry]) -> tuple[list[Entry], Observed]:
    """What is no mark, and the marks. A line of market data states one mark or none."""
    others: list[Entry] = []
    marks: list[Mark] = []
    hints: set[tuple[str, str | None]] = set()
    for entry in entries:
        facts = entry.facts
        if entry.problem is None and facts and type(mark := facts[0]) is Mark:
            marks.append(mark)
            hint = "crypto" if entry.channel == "crypto_data" else None
            hints.add((mark.symbol, hint))
        else:
            others.append(entry)
    return others, as_columns(marks, hints)


def as_columns(marks: list[Mark], hints: set[tuple[str, str | None]]) -> Observed:
    """Marks one by one to columns; ``hints`` as in Observed."""
    numbers: dict[str, int] = {}
    names, instants, prices, bids, asks, _ = (
        zip(*marks, strict=True) if marks else ((),) * 6
    )
    columns = {
        "ts": np.array(
            [(instant - EPOCH) // MICROSECOND for instant in instants], np.int64
        ),
        "price": np.array(prices, float),
        "bid": np.array(bids, float),
        "ask": np.array(asks, float),
        "symbol": np.array(
            [numbers.setdefault(name, len(numbers)) for name in names], np.int64
        ),
    }
    return Observed(list(numbers), hints, columns)
