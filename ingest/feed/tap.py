"""A websocket whose frames are recorded before alpaca-py sees them.

alpaca-py decodes a frame and then hands it to a handler: what it cannot decode, and
what follows a message that it cannot handle, is logged and gone. So the frame is taken
where it leaves the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Frame = str | bytes

# How often a reader that waits for room in the spool looks again.
ROOM_SECONDS = 0.05


class Tap:
    """Stands in for the connection that alpaca-py reads from.

    ``on_frame`` records a frame and does not raise; ``has_room`` is asked before the
    next frame is read: without room nothing is read, so that the broker's data wait
    in the socket rather than being dropped here. ``on_loss`` is told why a read
    failed.
    """

    def __init__(
        self,
        socket: Any,
        on_frame: Callable[[Frame], None],
        has_room: Callable[[], bool],
        on_loss: Callable[[str], None],
    ) -> None:
        self._socket = socket
        self._on_frame = on_frame
        self._has_room = has_room
        self._on_loss = on_loss
        self._is_closed = False

    def stop_reading(self) -> None:
        """Read nothing more: what is not read yet stays in the socket."""
        self._is_closed = True

    async def recv(self) -> Frame:
        # alpaca-py cancels this every 5 s. Between the read and the record is no
        # await, so that a cancellation cannot fall between them.
        while self._is_closed or not self._has_room():
            await asyncio.sleep(ROOM_SECONDS)
        try:
            frame: Frame = await self._socket.recv()
        except Exception as error:
            self._on_loss(str(error) or type(error).__name__)
            raise
        self._on_frame(frame)
        return frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
