"""One market data stream: stocks, options or crypto."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
from alpaca.data.enums import DataFeed, OptionsFeed
from alpaca.data.live import CryptoDataStream, OptionDataStream, StockDataStream

from ingest import logs
from ingest.feed.tap import Frame, Tap
from ingest.feed.trading import abort, stop_reading
from ingest.settings import IngestSettings
from ingest.state import StreamState

LOG = logs.get(__name__)

CONTROL = frozenset({"success", "subscription", "error"})
# What is subscribed to for each symbol: marks are quotes, else trades. Corrections and
# cancellations of trades come with the trades.
KINDS = ("quotes", "trades")
SYMBOL_LIMIT = 405
# How long a changed subscription may go without an acknowledgement.
ACKNOWLEDGE_SECONDS = 5.0
# How long a limit that was lowered stays so.
LOWERED_SECONDS = 6 * 3600.0


@dataclass
class Subscription:
    """Which symbols one stream should carry, outliving its connections.

    ``limit`` shrinks where the broker refuses more, until ``ceiling`` is tried again.
    ``carried``: symbols that the
    broker acknowledged; empty while the stream is not live.
    """

    ceiling: int
    wanted: list[str] = field(default_factory=list)
    carried: set[str] = field(default_factory=set)
    limit: int = field(init=False)
    lowered_at: float | None = None

    def __post_init__(self) -> None:
        self.limit = self.ceiling

    @property
    def symbols(self) -> set[str]:
        """The symbols to ask the stream for, those wanted the longest first."""
        return set(self.wanted[: self.limit])

    def lower(self, now: float) -> None:
        """Ask for half as many from now on; for one at least, or nobody would know."""
        asked = min(self.limit, len(self.wanted))
        self.limit = max(len(self.carried), asked // 2, 1)
        self.lowered_at = now

    def raise_again(self, now: float) -> None:
        """Plans change, and the first refusal may have been about something else."""
        if self.lowered_at is not None and now - self.lowered_at > LOWERED_SECONDS:
            self.limit, self.lowered_at = self.ceiling, None

    def want(self, symbols: set[str]) -> None:
        stay = [symbol for symbol in self.wanted if symbol in symbols]
        self.wanted = stay + sorted(symbols.difference(stay))


class Watched:
    """What is added to each of alpaca-py's data streams.

    ``record(messages)`` takes the data of a frame, decoded (an undecodable one as
    its bytes), before alpaca-py handles it.
    """

    state: StreamState
    attempt_at: float | None = None

    # Set by alpaca-py's class, which this is mixed into.
    _ws: Any
    _running: bool
    _handlers: dict[str, dict[str, Any]]
    _send_subscribe_msg: Any
    _send_unsubscribe_msg: Any

    def watch(
        self,
        state: StreamState,
        subscription: Subscription,
        record: Callable[[list[Any]], None],
        has_room: Callable[[], bool],
        is_mute: Callable[[float, float], bool],
    ) -> None:
        """``is_mute(now, heard_at)``: whether it should have sent something since."""
        self.state = state
        self._subscription = subscription
        self._record = record
        self._has_room = has_room
        self._is_mute = is_mute
        self._asked_at: float | None = None
        self._heard_at = time.monotonic()
        self._set_handlers(subscription.symbols)

    def abort(self) -> None:
        abort(self._ws)

    def stop_reading(self) -> None:
        stop_reading(self._ws)

    async def tick(self, now: float) -> str | None:
        subscription = self._subscription
        subscription.raise_again(now)
        if not subscription.symbols:
            return "no symbols to carry"
        await self._follow(subscription.symbols, now)
        if not self.state.is_live:
            return None
        if self._is_mute(now, self._heard_at):
            return f"no data for {now - self._heard_at:.0f} s, while REST has newer"
        return None

    async def _follow(self, symbols: set[str], now: float) -> None:
        """Subscribe to what is new, unsubscribe from what is not wanted any more."""
        known = set(self._handlers["quotes"])
        unanswered = self._asked_at is not None and (
            now - self._asked_at > ACKNOWLEDGE_SECONDS
        )
        if not self._running or (symbols == known and not unanswered):
            return
        self._set_handlers(symbols)
        self._asked_at = now
        gone = sorted((known | self._subscription.carried) - symbols)
        for kind in KINDS if gone else ():
            await self._send_unsubscribe_msg(kind, gone)
        await self._send_subscribe_msg()

    def _set_handlers(self, symbols: set[str]) -> None:
        for kind in KINDS:
            self._handlers[kind] = dict.fromkeys(symbols, self._ignore)

    async def _ignore(self, message: Any) -> None:
        """The tap has it already."""

    async def _connect(self) -> None:
        self.attempt_at = time.monotonic()
        try:
            await super()._connect()  # type: ignore[misc]
        except BaseException as error:
            self.attempt_at = None
            self._down(f"cannot connect: {error}")
            raise
        self._down("connected, not subscribed yet")
        self._asked_at = None
        self._ws = Tap(self._ws, self._take, self._has_room, self._lost)

    async def close(self) -> None:
        self.attempt_at = None
        if self.state.is_live:
            self._down("connection closed")
        await super().close()  # type: ignore[misc]

    def _lost(self, why: str) -> None:
        self._down(f"connection lost: {why}")

    def _down(self, problem: str) -> None:
        self._subscription.carried = set()
        self.state.went_down(problem)

    def _take(self, frame: Frame) -> None:
        try:
            messages = msgpack.unpackb(frame, strict_map_key=False)
        except Exception:  # noqa: BLE001 - whatever msgpack makes of garbage
            messages = None
        if type(messages) is not list:
            self._record([frame])
            return
        data = [
            message
            for message in messages
            if type(message) is not dict or message.get("T") not in CONTROL
        ]
        if len(data) != len(messages):
            for message in messages:
                if type(message) is dict and message.get("T") in CONTROL:
                    self._control(message)
        if data:
            self._heard_at = time.monotonic()
            self._record(data)

    def _control(self, message: dict[str, Any]) -> None:
        if message["T"] == "subscription":
            quotes, trades = (message.get(kind) or [] for kind in KINDS)
            self._acknowledged(set(quotes) & set(trades))
        elif message["T"] == "error":
            code, text = message.get("code"), message.get("msg")
            LOG.warning(
                "stream_error", stream=self.state.name, code=code, message=str(text)
            )
            if code == SYMBOL_LIMIT:
                self._lower_limit()
            if not self.state.is_live:
                self.state.went_down(f"the broker refuses: {text} ({code})")

    def _acknowledged(self, carried: set[str]) -> None:
        subscription = self._subscription
        subscription.carried = carried & subscription.symbols
        self.state.symbols = len(subscription.carried)
        if subscription.carried == subscription.symbols:
            self._asked_at = None
        if subscription.carried and not self.state.is_live:
            self._heard_at = time.monotonic()
            self.state.went_live()
            LOG.info("stream_live", stream=self.state.name, symbols=len(carried))
        elif not carried:
            self.state.went_down("the broker acknowledged no symbol")

    def _lower_limit(self) -> None:
        """The broker refused all of a subscription: ask for half as many symbols."""
        self._subscription.lower(time.monotonic())
        limit = self._subscription.limit
        LOG.warning("symbol_limit_lowered", stream=self.state.name, limit=limit)


class WatchedStocks(Watched, StockDataStream):
    """Trades and quotes of stocks."""


class WatchedOptions(Watched, OptionDataStream):
    """Trades and quotes of options."""


class WatchedCrypto(Watched, CryptoDataStream):
    """Trades and quotes of crypto pairs."""


def stream(
    channel: str, settings: IngestSettings, socket_options: dict[str, Any]
) -> Any:
    """A stream of one channel of recordings, to be told what to ``watch``."""
    account, data = settings.data_account, settings.market_data
    keys = (account.key_id.get_secret_value(), account.secret_key.get_secret_value())
    common: dict[str, Any] = {"raw_data": True, "websocket_params": socket_options}
    if channel == "stock_data":
        feed = DataFeed(data.stock_feed)
        return WatchedStocks(*keys, feed=feed, url_override=data.stock_url, **common)
    if channel == "option_data":
        option_feed = OptionsFeed(data.option_feed)
        return WatchedOptions(
            *keys, feed=option_feed, url_override=data.option_url, **common
        )
    return WatchedCrypto(*keys, url_override=data.crypto_url, **common)
