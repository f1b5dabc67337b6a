"""The unmodified clients of alpaca-py, pointed at a stand-in."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from standin import Alpaca

# alpaca-py imports what websockets deprecates.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from alpaca.data.live import CryptoDataStream, OptionDataStream, StockDataStream
    from alpaca.trading.client import TradingClient
    from alpaca.trading.stream import TradingStream


class Heard:
    """What a client's handler was given, in order."""

    def __init__(self, alpaca: Alpaca) -> None:
        self.messages: list[Any] = []
        self._alpaca = alpaca

    async def take(self, message: Any) -> None:
        self.messages.append(message)

    def wait(self, count: int, timeout: float = 5) -> list[Any]:
        self._alpaca.wait_for(lambda: len(self.messages) >= count, timeout)
        return self.messages

    @property
    def events(self) -> list[str]:
        return [message["data"]["event"] for message in self.messages]

    @property
    def symbols(self) -> list[str]:
        return [message["S"] for message in self.messages]


def quick(stream: Any) -> Any:
    """A stream that reconnects at once: tests do not wait for its back-off."""
    stream._reconnect_min_backoff = stream._reconnect_max_backoff = 0.05
    return stream


@contextmanager
def listening(stream: Any) -> Iterator[Any]:
    """The client runs in a thread with a loop of its own until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(_forever(stream), loop)
    try:
        yield stream
    finally:
        asyncio.run_coroutine_threadsafe(_end(stream), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _forever(stream: Any) -> None:
    stream.task = asyncio.current_task()
    await stream._run_forever()


async def _end(stream: Any) -> None:
    # A frame that arrives just then swallows a cancellation (Python's asyncio.wait_for
    # before 3.12): it is repeated.
    while not stream.task.done():
        stream.task.cancel()
        await asyncio.wait({stream.task}, timeout=0.1)
    connection = stream._ws
    if connection is not None:
        # Without a closing handshake: the server may be half open.
        connection.transport.abort()
        await connection.wait_closed()


def trading_stream(alpaca: Alpaca, heard: Heard, **fields: Any) -> Any:
    given = {"api_key": "key", "secret_key": "secret", "raw_data": True, **fields}
    stream = quick(TradingStream(url_override=alpaca.stream_url, **given))
    stream.subscribe_trade_updates(heard.take)
    return stream


def data_stream(alpaca: Alpaca, feed: str = "iex", key: str = "key") -> Any:
    kind: Callable[..., Any] = {
        "iex": StockDataStream,
        "indicative": OptionDataStream,
        "crypto": CryptoDataStream,
    }[feed]
    secret = {"key": "secret", "k2": "s2"}.get(key, "wrong")
    url = alpaca.data_url(feed)
    return quick(kind(key, secret, raw_data=True, url_override=url))


def rest(
    alpaca: Alpaca,
    key: str = "key",
    secret: str = "secret",  # noqa: S107
) -> TradingClient:
    client = TradingClient(key, secret, url_override=alpaca.url, raw_data=True)
    client._retry = 0
    return client


def raw(alpaca: Alpaca, path: str, method: str = "GET", **query: Any) -> Any:
    headers = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    return requests.request(
        method, alpaca.url + path, params=query, headers=headers, timeout=1
    )
