"""Market data of all accounts: three streams, and snapshots for what they leave out."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import Any

from ingest.feed import market, rest, supervisor
from ingest.feed.supervisor import Supervisor
from ingest.intake import Marks
from ingest.settings import IngestSettings
from ingest.snapshots import Snapshots
from ingest.spool import Spool
from ingest.state import State, StreamState
from ingest.trading import socket_options
from ingest.watchlist import CHANNEL_OF, Watchlist


class Feed:
    """One market data channel."""

    def __init__(
        self, channel: str, settings: IngestSettings, spool: Spool, state: State
    ) -> None:
        data = settings.market_data
        limits = {
            "stock_data": data.max_stock_symbols,
            "option_data": data.max_option_symbols,
            "crypto_data": data.max_crypto_symbols,
        }
        self._channel = channel
        self._settings = settings
        self._spool = spool
        self.stream = state.streams[channel] = StreamState(channel, is_wanted=False)
        self.subscription = market.Subscription(limits[channel])
        self.marks = Marks(
            spool, state, self.stream, channel, all_=data.quotes == "all"
        )
        self._supervisor = Supervisor(self._make, settings.ingest.connect_seconds)
        self._task: asyncio.Task[None] | None = None

    def follow(self, symbols: set[str]) -> None:
        """Carry these symbols from now on; without any there is no connection."""
        self.subscription.want(symbols)
        is_wanted = bool(self.subscription.symbols)
        self.stream.want(is_wanted)
        is_running = self._task is not None and not self._task.done()
        if is_wanted and not is_running:
            self._task = asyncio.create_task(self._supervisor.run(), name=self._channel)
        elif not is_wanted and self._task is not None and is_running:
            # Most plans allow one connection: the next begins when this one has ended.
            self._task.cancel()
            self.stream.symbols = 0

    async def stop(self) -> None:
        await supervisor.stop(self._task)
        self.marks.flush()

    def uncarried(self, now: float) -> set[str]:
        """Wanted symbols that the stream does not carry, or is silent about.

        One that has just become wanted counts: its first mark need not wait.
        """
        silent = self._settings.market_data.silent_seconds
        carried = self.subscription.carried
        return {
            symbol
            for symbol in list(self.subscription.wanted)
            if symbol not in carried
            or now - self.marks.last_at.get(symbol, -silent) > silent
        }

    def _make(self) -> Any:
        stream = market.stream(
            self._channel, self._settings, socket_options(self._settings.ingest)
        )
        stream.watch(
            self.stream,
            self.subscription,
            record=self.marks.record,
            has_room=lambda: not self._spool.is_full,
            is_mute=self._is_mute,
        )
        return stream

    def _is_mute(self, now: float, heard_at: float) -> bool:
        """Whether REST told of newer marks since the stream fell silent."""
        silent = self._settings.market_data.silent_seconds
        return now - heard_at > silent and self.marks.missed_at > heard_at


class Market:
    """The streams' subscriptions follow the watchlist."""

    def __init__(
        self,
        settings: IngestSettings,
        spool: Spool,
        state: State,
        watchlist: Watchlist,
        stopping: threading.Event,
    ) -> None:
        self._watchlist = watchlist
        self._feeds = {
            channel: Feed(channel, settings, spool, state)
            for channel in CHANNEL_OF.values()
        }
        account, data = settings.data_account, settings.market_data
        client = rest.ReadOnlyClient(
            "market data",
            data.rest_url or rest.DATA_URL,
            (account.key_id.get_secret_value(), account.secret_key.get_secret_value()),
            pace=rest.Pace(settings.ingest.requests_per_minute),
            timeout_seconds=settings.ingest.request_timeout_seconds,
            stop=stopping,
            requests_made=state.requests,
        )
        self._snapshots = Snapshots(client, data, self._uncarried, self._record_soon)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._snapshots.start()

    def tick(self, now: float) -> None:
        """Called a few times a second by the event loop."""
        wanted = self._watchlist.symbols()
        for channel, feed in self._feeds.items():
            feed.follow(wanted[channel])
            feed.marks.due(now)

    async def stop(self) -> None:
        self._snapshots.stop()
        await asyncio.gather(*(feed.stop() for feed in self._feeds.values()))

    def _uncarried(self) -> dict[str, set[str]]:
        now = time.monotonic()
        return {name: feed.uncarried(now) for name, feed in self._feeds.items()}

    def _record_soon(self, channel: str, messages: list[dict[str, Any]]) -> None:
        """From the snapshots' thread: recorded by the event loop, like all marks."""
        record = partial(self._feeds[channel].marks.record, is_streamed=False)
        self._loop.call_soon_threadsafe(record, messages)
