"""What /status says: the State as one JSON document; docs/operating.md has its schema.

Instants are ISO texts in UTC, ages and durations seconds.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from ingest import __version__
from ingest.alarms import Limits, age, alarms, not_healthy, not_ready
from ingest.state import AccountState, State, StreamState, utc_now


def document(state: State, limits: Limits) -> dict[str, Any]:
    """The whole document; instants are still datetimes, for the caller to write."""
    unhealthy, unready = not_healthy(state, limits), not_ready(state, limits)
    return {
        "program": "excursion ingest",
        "version": __version__,
        "pid": os.getpid(),
        "now": utc_now(),
        "started_at": state.started_at,
        "is_stopping": state.is_stopping,
        "is_healthy": not unhealthy,
        "is_ready": not unready,
        "not_ready": unready,
        "alarms": [asdict(alarm) for alarm in alarms(state, limits)],
        "streams": [_stream(stream) for stream in dict(state.streams).values()],
        "accounts": [_account(account) for account in dict(state.accounts).values()],
        "spool": {
            "depth_bytes": state.spool.depth_bytes,
            "limit_bytes": state.spool.limit_bytes,
            "is_full": state.spool.is_full,
            "damaged_tails": state.spool.damaged_tails,
            "problem": state.spool.problem,
        },
        "database": {
            "is_up": state.database_problem is None,
            "problem": state.database_problem,
            "last_commit_at": state.last_commit_at,
            "last_commit_age_seconds": age(state.last_commit_at),
        },
        "counts": _counts(state),
    }


def _stream(stream: StreamState) -> dict[str, Any]:
    down_for = None
    if stream.is_wanted and not stream.is_live:
        down_for = time.monotonic() - stream.not_live_since
    return {
        "name": stream.name,
        "account": stream.account_name,
        "is_wanted": stream.is_wanted,
        "is_live": stream.is_live,
        "live_since": stream.live_since,
        "not_live_seconds": down_for,
        "problem": stream.problem if stream.is_wanted else None,
        "last_event_at": stream.last_event_at,
        "last_event_age_seconds": age(stream.last_event_at),
        "restarts": stream.restarts,
        "symbols": stream.symbols,
    }


def _account(account: AccountState) -> dict[str, Any]:
    return {
        "name": account.name,
        "last_catchup_at": account.last_catchup_at,
        "catchup_age_seconds": age(account.last_catchup_at),
        "catchup_problem": account.catchup_problem,
        "mismatches": account.mismatches,
        "holes": account.holes,
        "missed_by_stream": account.missed_by_stream,
    }


def _counts(state: State) -> dict[str, Any]:
    # dict() copies in one step, whatever the other threads do.
    tally = dict(state.tally)
    kinds = sorted({kind for kind, _ in tally} - {"message"})
    return {
        "received": [
            {"channel": channel, "account": account or None, "count": count}
            for (channel, account), count in sorted(dict(state.received).items())
        ],
        "facts": [
            {
                "kind": kind,
                "written": tally.get((kind, "written"), 0),
                "duplicate": tally.get((kind, "duplicate"), 0),
            }
            for kind in kinds
        ],
        "skipped": tally.get(("message", "skipped"), 0),
        "quarantined": dict(sorted(dict(state.quarantined).items())),
        "thinned": dict(sorted(dict(state.thinned).items())),
        "requests": [
            {"account": account or None, "outcome": outcome, "count": count}
            for (account, outcome), count in sorted(dict(state.requests).items())
        ],
    }
