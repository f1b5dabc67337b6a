"""The trading stream of one account."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
from alpaca.trading.stream import TradingStream

from ingest import logs
from ingest.feed.tap import Frame, Tap
from ingest.settings import Account
from ingest.state import StreamState, utc_now

LOG = logs.get(__name__)

CHANNEL = "trade_updates"


class WatchedTradingStream(TradingStream):
    """alpaca-py's TradingStream, tapped.

    ``record(frame text, message or None)`` takes every frame but those of the
    handshake; ``on_live`` is called on each acknowledgement of the subscription.
    """

    def __init__(
        self,
        account: Account,
        state: StreamState,
        record: Callable[[str, Any], None],
        on_live: Callable[[], None],
        has_room: Callable[[], bool],
        socket_options: dict[str, Any],
    ) -> None:
        super().__init__(
            account.key_id.get_secret_value(),
            account.secret_key.get_secret_value(),
            paper=account.paper,
            raw_data=True,
            url_override=account.stream_url or "",
            websocket_params=socket_options,
        )
        self._ws: Any = None
        self.state = state
        self.attempt_at: float | None = None
        self._record = record
        self._on_live = on_live
        self._has_room = has_room
        self.subscribe_trade_updates(self._ignore)

    async def tick(self, now: float) -> str | None:
        return None

    def abort(self) -> None:
        abort(self._ws)

    def stop_reading(self) -> None:
        stop_reading(self._ws)

    async def _ignore(self, message: Any) -> None:
        """The tap has it already."""

    async def _connect(self) -> None:
        self.attempt_at = time.monotonic()
        try:
            await super()._connect()  # type: ignore[no-untyped-call]
        except BaseException as error:
            self.attempt_at = None
            self.state.went_down(f"cannot connect: {error}")
            raise
        self.state.went_down("connected, not subscribed yet")
        self._ws = Tap(self._ws, self._take, self._has_room, self._lost)

    async def close(self) -> None:
        self.attempt_at = None
        if self.state.is_live:
            self.state.went_down("connection closed")
        await super().close()

    def _lost(self, why: str) -> None:
        self.state.went_down(f"connection lost: {why}")

    def _take(self, frame: Frame) -> None:
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        stream = message.get("stream") if type(message) is dict else None
        data = message.get("data") if type(message) is dict else None
        if stream == "authorization":
            if type(data) is dict and data.get("status") != "authorized":
                self.state.went_down("the broker refuses the keys")
            return
        if stream == "listening":
            self._acknowledged(data)
            return
        if type(message) is dict and message.get("action") == "error":
            LOG.warning("stream_error", stream=self.state.name, error=data)
        self.state.last_event_at = utc_now()
        self._record(text, message)

    def _acknowledged(self, data: Any) -> None:
        streams = data.get("streams") if type(data) is dict else None
        if type(streams) is list and CHANNEL in streams:
            self.state.went_live()
            LOG.info("stream_live", stream=self.state.name)
            self._on_live()
        else:
            self.state.went_down("the broker acknowledged no subscription")


def stop_reading(socket: Any) -> None:
    """Hand out no more frames of a connection; nothing where there is none."""
    if isinstance(socket, Tap):
        socket.stop_reading()


def abort(socket: Any) -> None:
    """Cut a connection without a farewell; nothing where there is none."""
    transport = getattr(socket, "transport", None)
    if transport is not None:
        transport.abort()
