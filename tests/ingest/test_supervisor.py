"""Replacing streams, and stopping in the middle of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from ingest.feed import supervisor
from ingest.feed.supervisor import Supervisor
from ingest.state import StreamState


class Stream:
    """Is slow to end, as alpaca-py's are."""

    def __init__(self, state: StreamState) -> None:
        self.state = state
        self.attempt_at: float | None = None
        self.is_closed = False

    async def _run_forever(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        pass

    def stop_reading(self) -> None:
        pass

    async def tick(self, now: float) -> str | None:
        return None


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.08])
def test_a_stop_in_the_middle_of_a_restart_ends_it(after: float) -> None:
    made: list[Stream] = []

    def make() -> Stream:
        made.append(Stream(StreamState("test")))
        return made[-1]

    async def run() -> float:
        supervised = Supervisor(make, 5)
        task = asyncio.create_task(supervised.run())
        await asyncio.sleep(0.05)
        supervised.restart("told to")
        await asyncio.sleep(supervisor.TICK_SECONDS - 0.05 + after)
        begun = time.monotonic()
        await supervisor.stop(task)
        assert task.done()
        return time.monotonic() - begun

    assert asyncio.run(run()) < 1
    assert all(stream.is_closed for stream in made)


def test_a_restart_asked_for_in_between_does_not_hit_the_next_stream() -> None:
    made: list[Stream] = []

    def make() -> Stream:
        made.append(Stream(StreamState("test")))
        return made[-1]

    async def run() -> None:
        supervised = Supervisor(make, 5)
        supervised.restart("too early")
        task = asyncio.create_task(supervised.run())
        await asyncio.sleep(2 * supervisor.TICK_SECONDS)
        await supervisor.stop(task)

    asyncio.run(run())
    assert [stream.state.restarts for stream in made] == [0]
