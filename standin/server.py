"""The stand-in as one asyncio server on loopback: streams, REST, its own controls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from ingest.errors import ExcursionError, UsageError
from standin import data_stream, trading_stream, wire
from standin.broker import Account, Broker, Row
from standin.clock import Clock
from standin.connections import Connection, Cut
from standin.faults import Faults
from standin.frames import Wanted, accepted, executed, new_order
from standin.rest import Rest

HOST = "127.0.0.1"
#: Name, key and secret; a secret of None lets any pass.
Keys = dict[str, tuple[str, str | None]]


class StandIn:
    """All parts together. Everything here runs in the thread of its event loop."""

    def __init__(self, accounts: Keys, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.clock = Clock(lambda: self.faults.clock_skew)
        self.broker = Broker(self.clock, self.faults.rest)
        for name, (key, secret) in accounts.items():
            self.broker.add_account(name, key, secret)
        self.trading = trading_stream.TradingStream(self.broker, self.faults.trading)
        self.data = data_stream.DataStreams(self.broker, self.faults.data)
        self.rest = Rest(self.broker, self.faults.rest)
        self.port = 0
        self.extra_routes: list[web.RouteDef] = []
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 finds a free one.

        Raises ExcursionError where the port is taken.
        """
        app = web.Application()
        app.router.add_get(trading_stream.PATH, self.trading.handle)
        for path in data_stream.PATHS.values():
            app.router.add_get(path, self.data.handle)
        app.router.add_routes(self.extra_routes)
        app.router.add_routes(self.rest.routes())
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        self.port = port
        try:
            await self.listen()
        except ExcursionError:
            await self._runner.cleanup()
            raise

    async def listen(self) -> None:
        """Open the port, again where it was closed."""
        assert self._runner is not None, "start() comes first"
        if self._site is not None:
            return
        site = web.TCPSite(self._runner, HOST, self.port)
        try:
            await site.start()
        except OSError as error:
            raise ExcursionError(
                f"cannot listen on {HOST}:{self.port} ({error.strerror or error}):"
                " choose another port with --port"
            ) from None
        self._site = site
        if not self.port:
            self.port = self._runner.addresses[0][1]

    async def close_port(self) -> None:
        """Refuse connections and end those that are there, until ``listen``."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.trading.abort()
        self.data.abort()
        # Those of REST, too, which clients keep for their next request.
        if self._runner is not None and self._runner.server is not None:
            for handler in list(self._runner.server.connections):
                handler.force_close()
                if handler.transport is not None:
                    handler.transport.abort()

    async def stop(self) -> None:
        self.trading.abort()
        self.data.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    def account(self, name: str) -> Account:
        """The account of a name; UsageError where there is none."""
        try:
            return self.broker.accounts[name]
        except KeyError:
            known = ", ".join(sorted(self.broker.accounts))
            raise UsageError(f"no account {name!r} here; there is {known}") from None

    def push(
        self, name: str, frame: Any, *, on_stream: bool = True, on_rest: bool = True
    ) -> None:
        """A frame happens: the broker learns of it, and listeners are told."""
        account = self.account(name)
        self.broker.apply(account, frame, is_hidden=not on_rest)
        if on_stream:
            self.trading.send(account, frame)

    def execute(
        self,
        name: str,
        wanted: Wanted,
        *,
        announce: bool = True,
        on_stream: bool = True,
        on_rest: bool = True,
    ) -> Row:
        """An execution happens, of a new order or of one that is there."""
        account, now = self.account(name), self.clock.now()
        order = account.order(wanted.order_id) if wanted.order_id else None
        if order is None:
            order = new_order(account, wanted, now)
            if announce:
                for frame in accepted(order):
                    self.push(name, frame, on_stream=on_stream, on_rest=on_rest)
        frame = executed(account, order, wanted, now)
        self.push(name, frame, on_stream=on_stream, on_rest=on_rest)
        return frame

    def market(self, feed: str, messages: Iterable[Any]) -> None:
        """Market data is observed: snapshots know it, subscribers are told.

        A message without ``t`` gets the clock's time.
        """
        family = data_stream.FAMILIES.get(feed, feed)
        if family not in data_stream.CHANNELS:
            known = ", ".join((*data_stream.PATHS, *data_stream.CHANNELS))
            raise UsageError(f"no feed {feed!r}; there is {known}")
        ready = []
        for message in messages:
            if isinstance(message, dict) and isinstance(message.get("S"), str):
                moment = message.get("t", self.clock.now())
                if isinstance(moment, datetime):
                    moment = wire.iso(moment)
                message = {**message, "t": moment}
                self.broker.observe(family, message)
            ready.append(data_stream.packed(message))
        self.data.send(feed, ready)

    def push_raw(self, target: str, raw: bytes | str) -> None:
        """Send as it is, to an account's listeners or a feed's subscribers."""
        if target in self.broker.accounts:
            self.trading.send_raw(target, raw)
        else:
            self.data.send_raw(target, raw)

    async def push_packed(self, target: str, frames: Iterable[bytes | str]) -> int:
        """Send whole frames as they are, to an account's listeners or a feed; how many.

        Nothing is looked at: neither subscriptions nor faults. Waits while the
        clients are too slow, and until all is handed to the kernel.
        """
        clients: list[Connection] = []
        if target in self.broker.accounts:
            clients.extend(self.trading.listeners(target))
        else:
            clients.extend(self.data.clients(target))
        number = 0
        for number, frame in enumerate(frames, start=1):
            for client in clients:
                client.send(frame)
            if number % 100 == 0:
                # Lets the senders work; a queue that is full makes this wait.
                await asyncio.sleep(0)
                for client in clients:
                    await client.room()
        await self.flush()
        return number

    def disconnect(self, target: str, how: Cut) -> None:
        """End the connections of an account, or of a feed, after what was sent."""
        if target in self.broker.accounts:
            self.trading.cut(target, how)
        else:
            self.data.cut(target, how)

    async def flush(self) -> None:
        """Wait until what was pushed is handed to the kernel."""
        while any(
            c.is_busy for c in (*self.trading.connections, *self.data.connections)
        ):
            await asyncio.sleep(0.001)

    def state(self) -> Row:
        """What is going on, for a person or a test."""
        connections = [
            {"path": c.path, "account": c.key, "is_live": c.is_live, "sent": c.sent}
            for c in self.trading.connections
        ] + [
            {
                "path": c.path,
                "account": c.key,
                "is_live": c.is_live,
                "sent": c.sent,
                "subscribed": {k: sorted(v) for k, v in c.subscribed.items() if v},
            }
            for c in self.data.connections
        ]
        requests = self.rest.requests
        return {
            "clock": self.clock.now().isoformat(),
            "connections": connections,
            "frames_sent": self.trading.sent,
            "market_messages_sent": self.data.sent,
            "requests": len(requests),
            "forbidden_requests": sum(r.method != "GET" for r in requests),
            "accounts": {
                name: {
                    "orders": len(account.orders),
                    "activities": len(account.activities),
                    "positions": sum(
                        bool(account.quantity(s)) for s in account.positions
                    ),
                }
                for name, account in self.broker.accounts.items()
            },
        }


def answer(value: Any, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
    return web.Response(body=body, status=status, content_type="application/json")
