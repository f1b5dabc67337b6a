"""Keeping a stream alive that does not say when it is dead.

alpaca-py's `_run_forever` retries refused connections by itself, with a back-off, and
returns only when stopped. It hangs on a server that accepts and stays mute, and returns
quietly when the broker's plan does not cover the feed. The supervisor gives each
connection a deadline to become live, and starts a new stream where it is missed.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Protocol

from ingest import logs
from ingest.state import StreamState

LOG = logs.get(__name__)

TICK_SECONDS = 0.25
# Twice this, and the daemon still ends in time.
CLOSE_SECONDS = 1.5
LONGEST_PAUSE_SECONDS = 60.0


class Stream(Protocol):
    """What is supervised: a stream of one of the feed's modules."""

    state: StreamState
    #: monotonic time at which the present connection was begun; None between them.
    attempt_at: float | None

    async def _run_forever(self) -> None: ...
    async def close(self) -> None: ...

    def abort(self) -> None:
        """Cut the connection without a farewell."""

    def stop_reading(self) -> None:
        """Take no more frames from the connection."""

    async def tick(self, now: float) -> str | None:
        """Called a few times a second; a text is the reason to restart."""


class Supervisor:
    """Runs one stream after another, each made by ``make``, until cancelled.

    ``connect_seconds``: from the begin of a connection to its being live.
    """

    def __init__(self, make: Any, connect_seconds: float) -> None:
        self._make = make
        self._connect_seconds = connect_seconds
        self._failures = 0
        self._restart: str | None = None

    def restart(self, reason: str) -> None:
        """End the present connection, for a reason that the stream cannot see."""
        self._restart = reason

    async def run(self) -> None:
        while True:
            self._restart = None
            stream: Stream = self._make()
            state = stream.state
            started = time.monotonic()
            task = asyncio.create_task(stream._run_forever(), name=state.name)
            try:
                reason = await self._watch(stream, task)
            finally:
                await _end(stream, task)
            state.went_down(reason)
            state.restarts += 1
            was_fine = time.monotonic() - started > 10 * self._connect_seconds
            self._failures = 0 if was_fine else self._failures + 1
            LOG.warning("stream_restarted", stream=state.name, reason=reason)
            # Half of it at random: several processes must not come back in step.
            pause = min(2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause / 2 * (1 + random.random()))  # noqa: S311

    async def _watch(self, stream: Stream, task: asyncio.Task[None]) -> str:
        """Until the stream must be replaced; returns why."""
        while True:
            await asyncio.wait({task}, timeout=TICK_SECONDS)
            now = time.monotonic()
            if task.done():
                error = None if task.cancelled() else task.exception()
                said = f" ({error})" if error else ""
                return f"{stream.state.problem or 'the client returned'}{said}"
            if self._restart is not None:
                reason, self._restart = self._restart, None
                return reason
            begun = stream.attempt_at
            if (
                begun is not None
                and not stream.state.is_live
                and now - begun > self._connect_seconds
            ):
                said = stream.state.problem or "no acknowledgement"
                return f"not live {self._connect_seconds:g} s after connecting: {said}"
            reason_of_stream = await stream.tick(now)
            if reason_of_stream is not None:
                return reason_of_stream


async def _end(stream: Stream, task: asyncio.Task[None]) -> None:
    """Stop the task and give the connection back, whatever state it is in."""
    deadline = time.monotonic() + CLOSE_SECONDS
    cancelled: asyncio.CancelledError | None = None
    while not task.done() and time.monotonic() < deadline:
        # A frame that arrives just then swallows a cancellation (Python's
        # asyncio.wait_for before 3.12): none may arrive, and it is repeated.
        stream.stop_reading()
        task.cancel()
        try:
            await asyncio.wait({task}, timeout=CLOSE_SECONDS / 10)
        except asyncio.CancelledError as error:
            # The daemon stops: once the connection is given back.
            cancelled = error
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await stream.close()
    except Exception as error:  # noqa: BLE001
        # Gone or hanging: the connection is cut below either way.
        LOG.info("stream_close_failed", stream=stream.state.name, message=str(error))
    finally:
        stream.abort()
    if cancelled is not None:
        raise cancelled


async def stop(task: asyncio.Task[None] | None) -> None:
    """End a supervisor's task; waits no longer than ending a stream may take."""
    if task is not None:
        task.cancel()
        await asyncio.wait({task}, timeout=2 * CLOSE_SECONDS + TICK_SECONDS)
