"""What became of the entries of a batch, collected while it is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ingest.recording import Entry, Problem

Tally = Counter[tuple[str, str]]

# A fact together with the entry that states it.
Located = tuple[Entry, Any]


@dataclass(slots=True)
class Outcome:
    """Counts of facts by (kind, outcome), and the entries that were set aside.

    Kinds are mark, fill, event, order, activity, position, recommendation, execution
    and message (a whole entry); outcomes written, duplicate, quarantined and skipped.
    filled_in counts those of written that only filled in nulls of a stored row.
    """

    tally: Tally = field(default_factory=Counter)
    set_aside: list[tuple[Entry, Problem]] = field(default_factory=list)

    def count(self, kind: str, received: int, written: int) -> None:
        self.tally[kind, "written"] += written
        self.tally[kind, "duplicate"] += received - written

    def skip(self) -> None:
        """A message that states no fact, as the broker's greeting."""
        self.tally["message", "skipped"] += 1

    def quarantine(self, entry: Entry, code: str, reason: str) -> None:
        self.set_aside.append((entry, Problem(code, reason)))
        self.tally["message", "quarantined"] += 1
