"""What is wrong with the running daemon, read off its State.

An alarm is something that a person should look at; a reason not to be ready may pass
by itself within a minute.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ingest.state import AccountState, State, StreamState, utc_now

#: Seconds after which a wanted stream that is not live is an alarm, and a database
#: that was not reached since the start.
NOT_LIVE_SECONDS = 60.0

#: Seconds since the last catch-up that succeeded.
CATCHUP_SECONDS = 300.0

#: Seconds after which the event loop counts as stuck.
LOOP_SECONDS = 30.0

#: Part of the spool's limit from which on it is about to be full.
FILLING = 0.8

LOOP_STUCK = "the event loop does not run"


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is late, in seconds."""

    not_live: float = NOT_LIVE_SECONDS
    catchup: float = CATCHUP_SECONDS
    loop: float = LOOP_SECONDS


@dataclass(frozen=True, slots=True)
class Alarm:
    """``kind`` is for programs, ``subject`` the stream or account, or empty.

    ``seconds``: how long it has lasted, where that is known; not part of the message,
    which stays the same as long as nothing else happens.
    """

    kind: str
    subject: str
    message: str
    seconds: float | None = None

    @property
    def text(self) -> str:
        """What and whom it is about, in one line."""
        return f"{self.subject}: {self.message}" if self.subject else self.message


def age(since: datetime | None) -> float | None:
    """Seconds since then; a clock that was set back makes no negative ages."""
    return None if since is None else max(0.0, (utc_now() - since).total_seconds())


def duration(seconds: float) -> str:
    """For people: ``12 s``, ``5 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def alarms(state: State, limits: Limits) -> list[Alarm]:
    """Everything that a person should look at, the worst first."""
    return list(_alarms(state, limits))


def _alarms(state: State, limits: Limits) -> Iterator[Alarm]:
    silence = time.monotonic() - state.loop_seen_at
    if silence > limits.loop:
        yield Alarm("loop_stuck", "", f"{LOOP_STUCK}: restart it", silence)
    if (why := _spool_blocks(state)) is not None:
        yield Alarm("spool_full", "", why)
    elif state.spool.depth_bytes > FILLING * state.spool.limit_bytes > 0:
        yield Alarm("spool_filling", "", f"the spool is over {FILLING:.0%} full")
    up_for = age(state.started_at) or 0.0
    if state.database_problem is not None and (
        state.last_commit_at is not None or up_for > limits.not_live
    ):
        message = f"the database is not written to: {state.database_problem}"
        yield Alarm("database_down", "", message)
    for stream in list(state.streams.values()):
        down_for = time.monotonic() - stream.not_live_since
        if _is_down(stream) and down_for > limits.not_live:
            message = f"not live: {stream.problem}"
            yield Alarm("stream_down", stream.name, message, down_for)
    for account in list(state.accounts.values()):
        stale_for = age(account.last_catchup_at or state.started_at) or 0.0
        if stale_for > limits.catchup:
            message = f"no catch-up worked{_because(account)}"
            yield Alarm("catchup_stale", account.name, message, stale_for)
        if n := account.mismatches:
            verb = "differs" if n == 1 else "differ"
            message = f"{_counted(n, 'position')} {verb} from the broker's"
            yield Alarm("mismatch", account.name, message)
        if n := account.holes:
            verb = "lacks" if n == 1 else "lack"
            message = f"{_counted(n, 'order')} {verb} an execution"
            yield Alarm("order_hole", account.name, message)


def not_healthy(state: State, limits: Limits) -> list[str]:
    """Why the process does not do its work, one line each; empty: it does."""
    found = []
    silence = time.monotonic() - state.loop_seen_at
    if silence > limits.loop:
        found.append(LOOP_STUCK)
    if (why := _spool_blocks(state)) is not None:
        found.append(why)
    return found


def not_ready(state: State, limits: Limits) -> list[str]:
    """Why not everything is recorded at this instant, one line each."""
    found = not_healthy(state, limits)
    if state.is_stopping:
        found.append("stopping")
    if not state.accounts:
        found.append("starting: no account is recorded yet")
    for stream in list(state.streams.values()):
        if _is_down(stream):
            found.append(f"{stream.name} is not live: {stream.problem}")
    for account in list(state.accounts.values()):
        stale_for = age(account.last_catchup_at)
        if stale_for is None:
            found.append(f"{account.name} was not caught up yet{_because(account)}")
        elif stale_for > limits.catchup:
            ago = duration(stale_for)
            found.append(f"{account.name} was caught up {ago} ago{_because(account)}")
    if state.database_problem is not None:
        found.append(f"the database is not written to: {state.database_problem}")
    return found


def _is_down(stream: StreamState) -> bool:
    return stream.is_wanted and not stream.is_live


def _spool_blocks(state: State) -> str | None:
    spool = state.spool
    if spool.is_full:
        return "the spool is full, intake waits" + (
            f": {spool.problem}" if spool.problem else ""
        )
    return f"the spool takes nothing: {spool.problem}" if spool.problem else None


def _because(account: AccountState) -> str:
    # The field's first value says what the line says already.
    problem = account.catchup_problem
    return f": {problem}" if problem and problem != "no catch-up yet" else ""


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
