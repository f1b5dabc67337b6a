"""One WebSocket of a client: an outgoing queue, and the ways in which it can break."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Literal

from aiohttp import WSMsgType, web

Cut = Literal["clean", "reset"]

#: Frames that wait for a slow client before playback waits for it, too.
QUEUE_LIMIT = 1000
#: Seconds between two looks whether a half-open connection is whole again.
LOOK = 0.02


class Connection:
    """Sends what is queued, in order; reads what the client sends.

    ``is_half_open`` is asked before anything is read, sent or answered.
    """

    def __init__(
        self, request: web.Request, path: str, is_half_open: Callable[[], bool]
    ) -> None:
        # Pings and closes are answered here, or not, and never by aiohttp itself.
        self.socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, max_msg_size=0
        )
        self.path = path
        self.key: str | None = None
        self.is_live = False
        self.sent = 0
        self._request = request
        self._is_half_open = is_half_open
        self._queue: deque[bytes | str | _Cut] = deque()
        self._waiting = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._sender: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.socket.prepare(self._request)
        self._sender = asyncio.create_task(self._send())

    def send(self, frame: bytes | str) -> None:
        """Queue a frame: bytes as a binary one, text as a text one."""
        self._queue.append(frame)
        if len(self._queue) >= QUEUE_LIMIT:
            self._room.clear()
        self._waiting.set()

    def cut(self, how: Cut) -> None:
        """End the connection after what is queued."""
        self._queue.append(_Cut(how))
        self._waiting.set()

    async def room(self) -> None:
        """Wait while the client is too slow; a half-open one holds nobody up."""
        if not self._is_half_open():
            await self._room.wait()

    @property
    def is_busy(self) -> bool:
        """Something waits to be sent, and will be."""
        return bool(self._queue) and not self._is_half_open()

    @property
    def is_gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def messages(self) -> AsyncIterator[bytes | str]:
        """What the client sends, until it is gone."""
        while True:
            message = await self.socket.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if not self._is_half_open():
                    yield message.data
            elif message.type is WSMsgType.PING:
                if not self._is_half_open():
                    await self.socket.pong(message.data)
            elif message.type is WSMsgType.CLOSE:
                while self._is_half_open() and not self.is_gone:
                    await asyncio.sleep(LOOK)
                await self.socket.close()
                return
            elif message.type is not WSMsgType.PONG:
                return

    async def _send(self) -> None:
        try:
            while True:
                while self._queue:
                    while self._is_half_open():
                        await asyncio.sleep(LOOK)
                    frame = self._queue.popleft()
                    if len(self._queue) < QUEUE_LIMIT // 2:
                        self._room.set()
                    if isinstance(frame, _Cut):
                        await self._end(frame.how)
                        return
                    if isinstance(frame, bytes):
                        await self.socket.send_bytes(frame)
                    else:
                        await self.socket.send_str(frame)
                    self.sent += 1
                self._waiting.clear()
                await self._waiting.wait()
        except (ConnectionError, RuntimeError):
            pass  # the client is gone, which its reader notices, too
        finally:
            self._queue.clear()
            self._room.set()

    async def _end(self, how: Cut) -> None:
        if how == "clean":
            await self.socket.close()
            return
        transport = self._request.transport
        # A reset throws away what the kernel has not sent yet.
        while transport is not None and transport.get_write_buffer_size():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        reset(self._request)

    async def close(self) -> None:
        """Free what the connection holds; the client may be there or not."""
        self._room.set()
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


class _Cut:
    """Marks in the queue where the connection is to end."""

    def __init__(self, how: Cut) -> None:
        self.how: Cut = how


def reset(request: web.Request) -> None:
    """End a request's connection with a RST instead of a FIN."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        linger = struct.pack("ii", 1, 0)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
