"""The market data streams: msgpack, frames are arrays, symbols are subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgpack
from aiohttp import web

from standin import wire
from standin.broker import Broker
from standin.connections import Connection, Cut
from standin.faults import DataFaults

PATHS = {
    "iex": "/v2/iex",
    "sip": "/v2/sip",
    "indicative": "/v1beta1/indicative",
    "opra": "/v1beta1/opra",
    "crypto": "/v1beta3/crypto/us",
}
FAMILIES = {
    "iex": "stock",
    "sip": "stock",
    "indicative": "option",
    "opra": "option",
    "crypto": "crypto",
}
BARS = ["bars", "updatedBars", "dailyBars"]
#: What can be subscribed, by family.
CHANNELS = {
    "stock": ["trades", "quotes", *BARS, "statuses", "lulds"],
    "option": ["trades", "quotes"],
    "crypto": ["trades", "quotes", *BARS, "orderbooks"],
}
#: What comes with the trades and is listed with them.
WITH_TRADES = {"stock": ["corrections", "cancelErrors"], "option": [], "crypto": []}
CHANNEL_OF = {
    "t": "trades",
    "q": "quotes",
    "b": "bars",
    "u": "updatedBars",
    "d": "dailyBars",
    "s": "statuses",
    "l": "lulds",
    "o": "orderbooks",
    "c": "trades",
    "x": "trades",
}
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    412: "option messages are only available in MsgPack format",
    413: "star subscription is not allowed for option quotes",
    500: "internal error",
}
STATUSES = {"http_401": 401, "http_404": 404, "http_429": 429}
#: Seconds in which a client must have authenticated.
AUTH_TIMEOUT = 10.0
#: Most messages that share a frame.
FRAME_LIMIT = 500

POISON = wire.packed(None)
UNKNOWN = wire.packed({"T": "zz", "S": "AAPL", "note": "a type of message to come"})
UNDECODABLE = b"\xc1\xff\xff"  # 0xc1 is the one byte that msgpack never uses

#: A message ready to be sent: its channel and symbol (None: to everybody), packed.
Packed = tuple[str | None, str | None, bytes]


def packed(message: Any) -> Packed:
    """Prepare a message; what has no symbol, or a type unknown, goes to everybody."""
    channel = symbol = None
    if isinstance(message, dict) and isinstance(message.get("S"), str):
        channel = CHANNEL_OF.get(str(message.get("T")))
        symbol = message["S"] if channel else None
    return channel, symbol, wire.packed(message)


class _Client(Connection):
    """A connection and what it has subscribed."""

    def __init__(self, *args: Any, feed: str) -> None:
        super().__init__(*args)
        self.feed = feed
        family = FAMILIES[feed]
        self.subscribed: dict[str, set[str]] = {
            channel: set() for channel in CHANNELS[family]
        }

    def wants(self, message: Packed) -> bool:
        channel, symbol, _ = message
        if channel is None or symbol is None:
            return True
        symbols = self.subscribed.get(channel, ())
        return symbol in symbols or "*" in symbols


class DataStreams:
    """Connections of all feeds, and the sending of market data to them."""

    def __init__(self, broker: Broker, faults: DataFaults) -> None:
        self._broker, self.faults = broker, faults
        self.connections: list[_Client] = []
        self._frames = 0
        self.sent = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client from its handshake to its end."""
        feed = next(name for name, path in PATHS.items() if path == request.path)
        faults = self.faults if self.faults.concern(feed) else DataFaults()
        if faults.refuse in STATUSES:
            return web.Response(status=STATUSES[faults.refuse], text=faults.refuse)
        if faults.refuse == "silence":
            await asyncio.Event().wait()
        client = _Client(
            request, request.path, lambda: self._is(feed, "half_open"), feed=feed
        )
        self.connections.append(client)
        timeout = asyncio.get_running_loop().call_later(
            AUTH_TIMEOUT, self._time_out, client
        )
        try:
            await client.open()
            if self._is(feed, "mute_from") != "greeting":
                self._reply(client, {"T": "success", "msg": "connected"})
            async for message in client.messages():
                self._answer(client, message)
        except ConnectionError:
            pass  # gone between two of its messages
        finally:
            timeout.cancel()
            client.is_live = False
            self.connections.remove(client)
            await client.close()
        return client.socket

    def _is(self, feed: str, name: str) -> Any:
        """A fault's setting, where it concerns the feed."""
        if self.faults.concern(feed):
            return getattr(self.faults, name)
        return getattr(DataFaults.model_construct(), name)

    def _reply(self, client: _Client, message: dict[str, Any]) -> None:
        client.send(wire.packed_frame([wire.packed(message)]))

    def _error(self, client: _Client, code: int) -> None:
        text = ERRORS.get(code, "error")
        self._reply(client, {"T": "error", "code": code, "msg": text})

    def _time_out(self, client: _Client) -> None:
        if client.key is None:
            self._error(client, 404)
            client.cut("clean")

    def _answer(self, client: _Client, raw: bytes | str) -> None:
        if isinstance(raw, str):
            self._error(client, 412)
            return
        try:
            message = msgpack.unpackb(raw)
            action = message["action"]
        except (ValueError, KeyError, TypeError, msgpack.UnpackException):
            self._error(client, 400)
            return
        if action == "auth":
            self._authenticate(client, message)
        elif client.key is None:
            self._error(client, 401)
        elif action in ("subscribe", "unsubscribe"):
            self._subscribe(client, action, message)
        else:
            self._error(client, 400)

    def _authenticate(self, client: _Client, message: dict[str, Any]) -> None:
        if client.key is not None:
            self._error(client, 403)
            return
        if self._is(client.feed, "mute_from") in ("greeting", "auth"):
            return
        account = self._broker.by_key(message.get("key"), message.get("secret"))
        code: int | None = self._is(client.feed, "auth_error")
        limit = self._is(client.feed, "connection_limit")
        if code is None and account is None:
            code = 402
        if code is None and account is not None and limit is not None:
            others = [
                other
                for other in self.connections
                if other.feed == client.feed and other.key == account.name
            ]
            if len(others) >= limit:
                code = 406
        if code is not None or account is None:
            self._error(client, code or 402)
            client.cut("clean")
            return
        client.key = account.name
        self._reply(client, {"T": "success", "msg": "authenticated"})

    def _subscribe(self, client: _Client, action: str, message: dict[str, Any]) -> None:
        if self._is(client.feed, "mute_from") != "none":
            return
        code = self._is(client.feed, "subscribe_error")
        if code is not None:
            self._error(client, code)
            return
        family = FAMILIES[client.feed]
        wanted = {
            name: symbols
            for name, symbols in message.items()
            if name != "action" and name not in WITH_TRADES[family]
        }
        if not all(isinstance(symbols, list) for symbols in wanted.values()):
            self._error(client, 400)
            return
        if any(name not in client.subscribed for name in wanted):
            self._error(client, 410)
            return
        if family == "option" and "*" in wanted.get("quotes", ()):
            self._error(client, 413)
            return
        after = {
            name: set(symbols).union(wanted.get(name, ()))
            if action == "subscribe"
            else set(symbols).difference(wanted.get(name, ()))
            for name, symbols in client.subscribed.items()
        }
        limit = self._is(client.feed, "symbol_limit")
        if limit is not None and any(len(s) > limit for s in after.values()):
            self._error(client, 405)
            return
        client.subscribed = after
        client.is_live = any(after.values())
        acknowledged = {name: sorted(symbols) for name, symbols in after.items()}
        for name in WITH_TRADES[family]:
            acknowledged[name] = acknowledged["trades"]
        self._reply(client, {"T": "subscription", **acknowledged})

    def clients(self, feed: str) -> list[_Client]:
        """Subscribed connections of a feed, or of a family (stock, option, crypto)."""
        return [
            client
            for client in self.connections
            if client.is_live and feed in (client.feed, FAMILIES[client.feed])
        ]

    def send(self, feed: str, messages: Iterable[Packed]) -> None:
        """Send each client what it has subscribed, several messages a frame."""
        messages = list(messages)
        for client in self.clients(feed):
            faults = self.faults
            if not faults.concern(client.feed):
                faults = DataFaults.model_construct()
            if faults.mute:
                continue
            wanted = [
                message[2]
                for message in messages
                if client.wants(message) and message[1] not in faults.mute_symbols
            ]
            for start in range(0, len(wanted), FRAME_LIMIT):
                self._send_frame(client, faults, wanted[start : start + FRAME_LIMIT])

    def _send_frame(
        self, client: _Client, faults: DataFaults, elements: list[bytes]
    ) -> None:
        self._frames += 1
        self.sent += len(elements)
        middle = len(elements) // 2
        if faults.poison_every and self._frames % faults.poison_every == 0:
            elements.insert(middle, POISON)
        if faults.unknown_every and self._frames % faults.unknown_every == 0:
            elements.insert(middle, UNKNOWN)
        if faults.undecodable_every and self._frames % faults.undecodable_every == 0:
            client.send(UNDECODABLE)
        client.send(wire.packed_frame(elements))

    def send_raw(self, feed: str, raw: bytes | str) -> None:
        """Send as it is: text as a text frame, bytes as a binary one."""
        for client in self.clients(feed):
            client.send(raw)

    def cut(self, feed: str, how: Cut) -> None:
        """End a feed's connections after what was sent so far."""
        for client in self.connections:
            if feed in (client.feed, FAMILIES[client.feed]):
                client.cut(how)

    def abort(self) -> None:
        for client in self.connections:
            client.abort()
