"""The trading stream: /stream, JSON in text or binary frames."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import orjson
from aiohttp import web

from standin.broker import Account, Broker
from standin.connections import Connection, Cut
from standin.faults import TradingFaults

PATH = "/stream"
STATUSES = {"http_401": 401, "http_404": 404, "http_429": 429}
#: Seconds that shuffled frames wait for others.
SHUFFLE_WAIT = 0.05


class TradingStream:
    """Connections of all accounts, and the sending of frames to them."""

    def __init__(self, broker: Broker, faults: TradingFaults) -> None:
        self._broker, self.faults = broker, faults
        self.connections: list[Connection] = []
        self._counts: dict[str, int] = {}
        self._shuffled: dict[str, list[bytes]] = {}
        self._random = random.Random(20260302)  # noqa: S311 - no cryptography
        self.sent = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client from its handshake to its end."""
        refuse = self.faults.refuse if not self.faults.accounts else "none"
        if refuse in STATUSES:
            return web.Response(status=STATUSES[refuse], text=refuse)
        if refuse == "silence":
            await asyncio.Event().wait()
        connection = Connection(
            request, PATH, lambda: self._is(connection, "half_open")
        )
        limit = self.faults.connection_limit
        # Keys come after the handshake; an account's own limit waits for them.
        if limit is not None and len(self.connections) >= limit * max(
            1, len(self._broker.accounts)
        ):
            return web.Response(status=429, text="too many connections")
        self.connections.append(connection)
        try:
            await connection.open()
            async for message in connection.messages():
                if not self._answer(connection, message):
                    break
        except ConnectionError:
            pass  # gone between two of its messages
        finally:
            connection.is_live = False
            self.connections.remove(connection)
            await connection.close()
        return connection.socket

    def _is(self, connection: Connection, name: str) -> Any:
        """A fault's setting, where it concerns the connection's account."""
        if self.faults.concern(connection.key):
            return getattr(self.faults, name)
        return getattr(TradingFaults.model_construct(), name)

    def _answer(self, connection: Connection, raw: bytes | str) -> bool:
        try:
            message = orjson.loads(raw)
            action = message["action"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self._reply(connection, _error("invalid syntax"))
            return True
        if action in ("authenticate", "auth"):
            return self._authenticate(connection, message)
        if action == "listen":
            return self._listen(connection, message)
        self._reply(connection, _error("action not supported"))
        return True

    def _authenticate(self, connection: Connection, message: dict[str, Any]) -> bool:
        # The older spelling nests the keys, the newer one does not.
        nested = message.get("data")
        given = nested if isinstance(nested, dict) else message
        key = given.get("key_id", given.get("key"))
        secret = given.get("secret_key", given.get("secret"))
        account = self._broker.by_key(key, secret)
        connection.key = account.name if account else None
        if self._is(connection, "mute") == "before_auth":
            return True
        refuse = self._is(connection, "refuse")
        if refuse == "connection_limit":
            self._reply(connection, _error("connection limit exceeded (406)"))
            connection.cut("clean")
            return True
        is_authorized = account is not None and refuse != "key"
        status = "authorized" if is_authorized else "unauthorized"
        answer = {"status": status, "action": message["action"]}
        self._reply(connection, {"stream": "authorization", "data": answer})
        if not is_authorized:
            connection.key = None
        return True

    def _listen(self, connection: Connection, message: dict[str, Any]) -> bool:
        if connection.key is None:
            answer = {"status": "unauthorized", "action": "listen"}
            self._reply(connection, {"stream": "authorization", "data": answer})
            return True
        mute = self._is(connection, "mute")
        if mute in ("before_auth", "after_auth"):
            return True
        data = message.get("data")
        wanted = data.get("streams") if isinstance(data, dict) else None
        is_wanted = isinstance(wanted, list) and "trade_updates" in wanted
        streams = ["trade_updates"] if is_wanted else []
        if mute == "empty_listening":
            streams = []
        self._reply(connection, {"stream": "listening", "data": {"streams": streams}})
        connection.is_live = bool(streams)
        return True

    def _reply(self, connection: Connection, message: dict[str, Any]) -> None:
        raw = orjson.dumps(message)
        connection.send(raw if self._is(connection, "binary") else raw.decode())

    def listeners(self, name: str) -> list[Connection]:
        """Connections on which an account's frames are to be heard."""
        return [c for c in self.connections if c.key == name and c.is_live]

    def send(self, account: Account, frame: Any) -> None:
        """Send a frame to whoever listens, or what the faults make of it."""
        faults = self.faults
        name = account.name
        if not faults.concern(name):
            self._deliver(name, orjson.dumps(frame))
            return
        count = self._counts[name] = self._counts.get(name, 0) + 1
        is_dropped = faults.drop_every and count % faults.drop_every == 0
        if not is_dropped and not (faults.drop and _names(frame) & set(faults.drop)):
            self._send(name, orjson.dumps(frame))
        # After a frame that was dropped as well: every n-th counts them all.
        if faults.disconnect_every and count % faults.disconnect_every == 0:
            self.cut(name, faults.disconnect_how)

    def _send(self, name: str, raw: bytes) -> None:
        """Send as often and in such an order as the faults say."""
        faults = self.faults
        if faults.shuffle:
            waiting = self._shuffled.setdefault(name, [])
            if not waiting:
                loop = asyncio.get_running_loop()
                loop.call_later(SHUFFLE_WAIT, self._flush, name)
            waiting.extend([raw] * faults.repeat)
            if len(waiting) >= faults.shuffle:
                self._flush(name)
        else:
            for _ in range(faults.repeat):
                self._deliver(name, raw)

    def _flush(self, name: str) -> None:
        waiting = self._shuffled.pop(name, [])
        self._random.shuffle(waiting)
        for raw in waiting:
            self._deliver(name, raw)

    def _deliver(self, name: str, raw: bytes) -> None:
        for connection in self.listeners(name):
            if self._is(connection, "mute") == "none":
                is_binary = self._is(connection, "binary")
                connection.send(raw if is_binary else raw.decode())
                self.sent += 1

    def send_raw(self, name: str, raw: bytes | str) -> None:
        """Send as it is: text as a text frame, bytes as a binary one."""
        for connection in self.listeners(name):
            connection.send(raw)

    def cut(self, name: str, how: Cut) -> None:
        """End the account's connections after what was sent so far."""
        for connection in self.connections:
            if connection.key == name:
                connection.cut(how)

    def abort(self) -> None:
        for connection in self.connections:
            connection.abort()


def _error(text: str) -> dict[str, Any]:
    return {"action": "error", "data": {"error_message": text}}


def _names(frame: Any) -> set[str]:
    data = frame.get("data") if isinstance(frame, dict) else None
    if not isinstance(data, dict):
        return set()
    order = data.get("order") or {}
    found = (data.get("execution_id"), data.get("event"), order.get("id"))
    return {name for name in found if name}
