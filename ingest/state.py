"""What the running daemon knows about itself: plain values, no I/O.

Every part of the daemon updates its own fields; metrics, health and status only read
them. Reads of single values from other threads need no lock in CPython.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.outcome import Tally


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class StreamState:
    """One stream: ``trading`` of an account, or a market data stream.

    ``is_wanted`` is false while there is nothing to listen to (a data stream without
    symbols). ``is_live``: the broker acknowledged the subscription and what was
    received since is no older than the stream's own limit. ``problem`` says why a
    wanted stream is not live, for a person. ``live_mono`` and ``not_live_since`` are
    readings of the monotonic clock.
    """

    name: str
    account_name: str | None = None
    is_wanted: bool = True
    is_live: bool = False
    live_since: datetime | None = None
    live_mono: float = 0.0
    not_live_since: float = field(default_factory=time.monotonic)
    last_event_at: datetime | None = None
    restarts: int = 0
    symbols: int = 0
    problem: str | None = "not connected yet"

    def want(self, is_wanted: bool) -> None:
        """What is wanted from now on is not late since it was last live."""
        if is_wanted and not self.is_wanted and not self.is_live:
            self.not_live_since = time.monotonic()
        self.is_wanted = is_wanted

    def went_live(self) -> None:
        if not self.is_live:
            self.is_live, self.live_since, self.problem = True, utc_now(), None
            self.live_mono = time.monotonic()

    def went_down(self, problem: str) -> None:
        if self.is_live or self.problem is None:
            self.not_live_since = time.monotonic()
        self.is_live, self.live_since, self.problem = False, None, problem


@dataclass(slots=True)
class AccountState:
    """What is known of one account besides its stream.

    ``mismatches`` counts symbols whose derived position differs from the broker's,
    ``holes`` orders with an execution missing, after both looks.
    """

    name: str
    last_catchup_at: datetime | None = None
    catchup_problem: str | None = "no catch-up yet"
    mismatches: int = 0
    holes: int = 0
    missed_by_stream: int = 0


@dataclass(slots=True)
class SpoolState:
    """``depth_bytes``: received and not yet committed. ``problem``: why it blocks."""

    depth_bytes: int = 0
    limit_bytes: int = 0
    is_full: bool = False
    damaged_tails: int = 0
    problem: str | None = None


@dataclass(slots=True)
class State:
    """The daemon as a whole.

    ``received`` counts messages by (channel, account or ""), ``tally`` what the writer
    made of them by (kind, outcome), ``quarantined`` by reason code, ``thinned`` quotes
    left out by channel, ``requests`` REST requests by (account or "", outcome: an HTTP
    status, ``timeout`` or ``error``). ``loop_seen_at``: when the event loop last
    showed that it runs, on the monotonic clock. ``database_problem`` is None while
    the writer commits.
    """

    started_at: datetime = field(default_factory=utc_now)
    streams: dict[str, StreamState] = field(default_factory=dict)
    accounts: dict[str, AccountState] = field(default_factory=dict)
    spool: SpoolState = field(default_factory=SpoolState)
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    thinned: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    loop_seen_at: float = field(default_factory=time.monotonic)
    database_problem: str | None = "not connected yet"
    last_commit_at: datetime | None = None
    is_stopping: bool = False
