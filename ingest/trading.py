"""What belongs to one account: its stream, its supervisor, its REST thread."""

from __future__ import annotations

import asyncio
from typing import Any

from ingest.account import AccountThread
from ingest.feed import supervisor
from ingest.feed.supervisor import Supervisor
from ingest.feed.trading import WatchedTradingStream
from ingest.intake import TradeUpdates
from ingest.settings import Account, Ingest, IngestSettings
from ingest.spool import Spool
from ingest.state import State
from ingest.told import Told
from ingest.watchlist import Watchlist


def socket_options(ingest: Ingest) -> dict[str, Any]:
    """Options of a websocket that notices a dead peer within half a minute.

    alpaca-py's own are replaced by these, not merged; its 180 s for an answer to a ping
    would leave a dead connection unnoticed for minutes.
    """
    return {
        "open_timeout": ingest.connect_seconds / 2,
        "ping_interval": ingest.ping_seconds,
        "ping_timeout": ingest.ping_seconds,
        "close_timeout": 1,
        "max_queue": 1024,
        # A frame may carry a whole book of option quotes.
        "max_size": 16 << 20,
    }


class Trading:
    """Starts and stops one account's listening."""

    def __init__(
        self,
        name: str,
        account: Account,
        settings: IngestSettings,
        spool: Spool,
        state: State,
        watchlist: Watchlist,
        told: Told,
        thread: AccountThread,
    ) -> None:
        self._name = name
        self._account = account
        self._ingest = settings.ingest
        self._spool = spool
        self._stream_state = state.streams[f"trading:{name}"]
        self._watchlist = watchlist
        self._told = told
        self._thread = thread
        self._updates = TradeUpdates(spool, state, name)
        self._supervisor = Supervisor(self._make, settings.ingest.connect_seconds)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervisor.run(), name=self._name)
        # Not only once the stream is live: REST carries on where it never becomes so.
        self._thread.start()

    async def stop(self) -> None:
        self._thread.stop()
        await supervisor.stop(self._task)

    def restart_soon(self, loop: asyncio.AbstractEventLoop, reason: str) -> None:
        """From another thread: replace the stream."""
        loop.call_soon_threadsafe(self._supervisor.restart, reason)

    def _make(self) -> WatchedTradingStream:
        return WatchedTradingStream(
            self._account,
            self._stream_state,
            record=self._record,
            on_live=self._thread.poke,
            has_room=lambda: not self._spool.is_full,
            socket_options=socket_options(self._ingest),
        )

    def _record(self, text: str, message: Any) -> None:
        self._updates.record(text, message)
        self._told.take(message)
        self._watchlist.saw_frame(self._name, message)
