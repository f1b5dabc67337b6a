"""Marks by REST, for symbols that no stream carries at the moment.

A symbol beyond the feed's limit, on a stream that is down or refused, or one of which
the stream has said nothing for long, is asked for. A snapshot states the quote's own
time: the same quote asked for again is the same mark.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ingest import logs
from ingest.catchup import Client
from ingest.settings import MarketData

LOG = logs.get(__name__)

SYMBOLS_PER_REQUEST = 100
# Answers to a request that is wrong itself, and for how long such a symbol is left out.
REFUSALS = frozenset({400, 404, 422})
REFUSED_SECONDS = 3600.0
REMEMBERED = 10_000


class Snapshots(threading.Thread):
    """Asks every ``snapshot_seconds`` for the symbols that ``wanted()`` names.

    ``wanted()`` gives symbols by channel; ``record(channel, messages)`` takes what was
    found as messages of that channel's stream.
    """

    def __init__(
        self,
        client: Client,
        settings: MarketData,
        wanted: Callable[[], dict[str, set[str]]],
        record: Callable[[str, list[dict[str, Any]]], None],
    ) -> None:
        super().__init__(name="snapshots", daemon=True)
        self._client = client
        self._settings = settings
        self._wanted = wanted
        self._record = record
        self._stopping = threading.Event()
        self._next_at: dict[str, float] = {}

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        # A symbol that has just become wanted is not made to wait for its turn.
        pause = min(1.0, self._settings.snapshot_seconds)
        while not self._stopping.wait(pause):
            now = time.monotonic()
            for channel, symbols in self._wanted().items():
                due = {
                    symbol for symbol in symbols if now >= self._next_at.get(symbol, 0)
                }
                if due:
                    self._ask(channel, sorted(due), now)
                    self._forget(now)

    def _ask(self, channel: str, symbols: list[str], now: float) -> None:
        for symbol in symbols:
            self._next_at[symbol] = now + self._settings.snapshot_seconds
        remaining = iter(symbols)
        while batch := list(islice(remaining, SYMBOLS_PER_REQUEST)):
            self._ask_for(channel, batch, now)

    def _ask_for(self, channel: str, symbols: list[str], now: float) -> None:
        try:
            for found in self._pages(channel, symbols):
                self._record(channel, list(_messages(found)))
        except Exception as error:  # noqa: BLE001 - the other symbols must not wait
            if self._stopping.is_set():
                return
            is_refused = getattr(error, "status", None) in REFUSALS
            if is_refused and len(symbols) > 1:
                # One symbol that the broker does not know spoils them all: find it.
                middle = len(symbols) // 2
                self._ask_for(channel, symbols[:middle], now)
                self._ask_for(channel, symbols[middle:], now)
                return
            if is_refused:
                self._next_at[symbols[0]] = now + REFUSED_SECONDS
            reason = " ".join(str(error).split())
            LOG.warning(
                "snapshots_failed", channel=channel, reason=reason, symbols=len(symbols)
            )

    def _forget(self, now: float) -> None:
        """Symbols come and go for months."""
        if len(self._next_at) > REMEMBERED:
            self._next_at = {s: at for s, at in self._next_at.items() if at > now}

    def _pages(self, channel: str, symbols: list[str]) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"symbols": ",".join(symbols)}
        if channel == "stock_data":
            asked["feed"] = self._settings.stock_feed
            yield self._client.read("/stocks/snapshots", asked)
            return
        path, version = "/crypto/us/snapshots", "v1beta3"
        if channel == "option_data":
            path, version = "/options/snapshots", "v1beta1"
            asked |= {"feed": self._settings.option_feed, "limit": 1000}
        while True:
            answer = self._client.read(path, asked, version)
            yield answer.get("snapshots") or {}
            token = answer.get("next_page_token")
            if not token or token == asked.get("page_token"):
                return
            asked["page_token"] = token


def _messages(snapshots: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each symbol's latest quote and trade, as its stream would have sent them."""
    for symbol, snapshot in snapshots.items():
        for name, kind in (("latestQuote", "q"), ("latestTrade", "t")):
            said = snapshot.get(name) if isinstance(snapshot, dict) else None
            if isinstance(said, dict):
                yield {"T": kind, "S": symbol, **said}
