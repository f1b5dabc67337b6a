"""Playing a recording: its messages happen again, at its own times or faster."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from ingest.errors import UsageError
from ingest.recording import read_lines
from standin import data_stream, wire
from standin.server import StandIn

log = logging.getLogger("standin")

FAMILY_OF = {"stock_data": "stock", "option_data": "option", "crypto_data": "crypto"}
REST_ROWS = ("activities", "orders", "positions")
#: Seconds between two looks whether everybody listens.
LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """A line that Alpaca would send."""

    at: datetime
    channel: str
    account: str | None
    message: Any


@dataclass(slots=True)
class Contents:
    """What a recording needs: accounts, and symbols by family of feeds."""

    accounts: set[str] = field(default_factory=set)
    symbols: dict[str, set[str]] = field(default_factory=dict)
    lines: int = 0
    left_out: int = 0


def read(paths: Sequence[str]) -> Iterator[Line]:
    """The lines of recordings by time, without the dispatcher's.

    Raises what read_lines raises; unreadable lines are left out.
    """
    return heapq.merge(*map(_read, paths), key=lambda line: line.at)


def _read(path: str) -> Iterator[Line]:
    for raw in read_lines(path):
        line = _line(raw)
        if line is not None:
            yield line


def _line(raw: bytes) -> Line | None:
    try:
        envelope = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(envelope, dict):
        return None
    at, channel = wire.instant(envelope.get("at")), envelope.get("from")
    if at is None or "msg" not in envelope:
        return None
    if channel in FAMILY_OF:
        return Line(at, channel, None, envelope["msg"])
    account = envelope.get("account")
    if channel in ("trade_updates", *REST_ROWS) and isinstance(account, str):
        return Line(at, channel, account, envelope["msg"])
    return None


def look(paths: Sequence[str]) -> Contents:
    """Read recordings once, to know what they need."""
    found = Contents()
    for path in paths:
        if path == "-":
            raise UsageError("a recording is read twice: it must be a file, not -")
        for raw in read_lines(path):
            line = _line(raw)
            if line is None:
                found.left_out += 1
                continue
            found.lines += 1
            if line.account is not None:
                found.accounts.add(line.account)
            elif isinstance(line.message, dict) and "S" in line.message:
                symbols = found.symbols.setdefault(FAMILY_OF[line.channel], set())
                symbols.add(str(line.message["S"]))
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played, and how.

    ``speed``: times real time, 0 as fast as it goes. ``wait``: not before everybody
    whom it needs listens. ``max_gap``: longer stretches without a message, in
    recorded seconds, are passed over.
    """

    paths: Sequence[str]
    contents: Contents
    speed: float = 1.0
    wait: bool = False
    max_gap: float | None = None


class Playback:
    """Plays recordings through a stand-in, once."""

    def __init__(self, standin: StandIn, plan: Plan) -> None:
        self._standin, self.plan = standin, plan
        self.played = 0
        self._begin = asyncio.Event()
        self.is_started = self.is_done = False
        # Real time (monotonic) at which the instant of the recording is due.
        self._anchor: tuple[float, datetime] | None = None

    def begin(self) -> None:
        """Start without waiting for anybody."""
        self._begin.set()

    def state(self) -> dict[str, Any]:
        return {
            "speed": self.plan.speed,
            "lines": self.plan.contents.lines,
            "left_out": self.plan.contents.left_out,
            "played": self.played,
            "is_started": self.is_started,
            "is_done": self.is_done,
        }

    async def run(self) -> None:
        """Wait where that was asked for, play, and leave the clock going on."""
        while self.plan.wait and not self._begin.is_set() and not self._is_awaited():
            await asyncio.sleep(LOOK)
        self.is_started = True
        last: datetime | None = None
        for lines in _instants(read(self.plan.paths)):
            await self._pass(last, lines[0].at)
            last = lines[0].at
            self._happen(lines)
        if last is not None:
            self._standin.clock.set(last)
        await self._standin.flush()
        self.is_done = True
        log.info(
            "played %d messages to the end; the clock goes on from %s at normal speed",
            self.played,
            "now" if last is None else wire.iso(last),
        )

    def _is_awaited(self) -> bool:
        """Everybody that the recording needs is there."""
        if any(
            not self._standin.trading.listeners(a) for a in self.plan.contents.accounts
        ):
            return False
        for family, symbols in self.plan.contents.symbols.items():
            heard: set[str] = set()
            for client in self._standin.data.clients(family):
                heard.update(*client.subscribed.values())
            if "*" not in heard and not symbols <= heard:
                return False
        return True

    async def _pass(self, last: datetime | None, following: datetime) -> None:
        """Let the time between two instants of the recording go by."""
        clock, speed = self._standin.clock, self.plan.speed
        # The clients get their turn; a slow one holds the playback up.
        await self._room()
        if speed <= 0:
            clock.set(following, speed=0)
            return
        gap = 0.0 if last is None else (following - last).total_seconds()
        longest = self.plan.max_gap
        is_passed_over = longest is not None and gap > longest
        if self._anchor is None or is_passed_over:
            self._anchor = (time.monotonic(), following)
            clock.set(following, speed=speed, ceiling=following)
            return
        clock.stop_at(following)
        due, instant = self._anchor
        due += (following - instant).total_seconds() / speed
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _room(self) -> None:
        await asyncio.sleep(0)
        standin = self._standin
        for connection in (*standin.trading.connections, *standin.data.connections):
            await connection.room()

    def _happen(self, lines: list[Line]) -> None:
        standin = self._standin
        market: dict[str, list[data_stream.Packed]] = {}
        for line in lines:
            self.played += 1
            if line.account is None:
                family = FAMILY_OF[line.channel]
                if isinstance(line.message, dict) and "S" in line.message:
                    standin.broker.observe(family, line.message)
                market.setdefault(family, []).append(data_stream.packed(line.message))
            elif line.channel == "trade_updates":
                standin.push(line.account, line.message)
            else:
                self._rest_row(line)
        for family, messages in market.items():
            standin.data.send(family, messages)

    def _rest_row(self, line: Line) -> None:
        broker, account = self._standin.broker, self._standin.account(str(line.account))
        if not isinstance(line.message, dict):
            return
        try:
            if line.channel == "activities":
                broker.add_activity(account, line.message)
            elif line.channel == "orders":
                broker.add_order(account, line.message)
            else:
                broker.add_position(account, line.message)
        except (KeyError, ValueError) as error:
            log.warning("a row of %s cannot be served: %r", line.channel, error)


def _instants(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Lines of one instant together.

    At most FRAME_LIMIT at a time, so that one instant may be any size.
    """
    together: list[Line] = []
    for line in lines:
        if together and (
            line.at != together[0].at or len(together) >= data_stream.FRAME_LIMIT
        ):
            yield together
            together = []
        together.append(line)
    if together:
        yield together
