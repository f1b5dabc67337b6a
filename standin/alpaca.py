"""The stand-in for tests: a server in a thread of its own, used from any thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from standin import data_stream, trading_stream
from standin.connections import Cut
from standin.control import Control
from standin.faults import Faults
from standin.frames import Number, Wanted
from standin.playback import Contents, Plan, Playback, look
from standin.rest import Request
from standin.server import HOST, StandIn

T = TypeVar("T")
Recording = str | Path


class Alpaca:
    """A running stand-in. All methods may be called from any thread but its own."""

    def __init__(self, standin: StandIn, loop: asyncio.AbstractEventLoop) -> None:
        self._standin, self._loop = standin, loop
        self.faults: Faults = standin.faults
        self.playback: Playback | None = None

    @property
    def port(self) -> int:
        return self._standin.port

    @property
    def url(self) -> str:
        """Base of REST, trading and market data, without a path."""
        return f"http://{HOST}:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://{HOST}:{self.port}{trading_stream.PATH}"

    def data_url(self, feed: str) -> str:
        """The URL of a feed: iex, sip, indicative, opra, crypto."""
        return f"ws://{HOST}:{self.port}{data_stream.PATHS[feed]}"

    @property
    def requests(self) -> list[Request]:
        """The REST requests so far, all methods."""
        return list(self._standin.rest.requests)

    @property
    def forbidden_requests(self) -> list[Request]:
        """Requests that are no GET: an observer makes none."""
        return [request for request in self.requests if request.method != "GET"]

    def push(
        self,
        account: str,
        frame: Any,
        *,
        on_stream: bool = True,
        on_rest: bool = True,
    ) -> None:
        """A trade update happens: REST knows it, listeners get it.

        Without ``on_rest`` its rows stay unknown to REST, for ever in the activities.
        """
        self._call(
            lambda: self._standin.push(
                account, frame, on_stream=on_stream, on_rest=on_rest
            )
        )

    def execute(
        self,
        account: str,
        symbol: str,
        side: str,
        qty: Number,
        price: Number,
        *,
        order_id: str | None = None,
        order_qty: Number | None = None,
        final: bool | None = None,
        execution_id: str | None = None,
        at: datetime | str | None = None,
        order: dict[str, Any] | None = None,
        announce: bool = True,
        on_stream: bool = True,
        on_rest: bool = True,
    ) -> dict[str, Any]:
        """An execution happens; gives its frame.

        A new ``order_id`` (or none) makes an order, announced by ``pending_new`` and
        ``new``; the same one again fills more of it. The order is filled with this
        execution if ``final``, by default if nothing of ``order_qty`` is left.
        ``order`` overrides fields of the order.
        """
        wanted = Wanted(
            symbol=symbol,
            side=side,
            qty=qty,
            price=price,
            order_id=order_id,
            order_qty=order_qty,
            final=final,
            execution_id=execution_id,
            at=at,
            order=order,
        )
        return self._call(
            lambda: self._standin.execute(
                account,
                wanted,
                announce=announce,
                on_stream=on_stream,
                on_rest=on_rest,
            )
        )

    def activity(self, account: str, row: Mapping[str, Any], lag: float = 0) -> None:
        """A row of the activities appears, after ``lag`` seconds.

        The same id again replaces it, as where a status changes to canceled.
        """
        standin = self._standin
        self._call(
            lambda: standin.broker.add_activity(
                standin.account(account), dict(row), lag
            )
        )

    def order(self, account: str, row: Mapping[str, Any]) -> None:
        """REST's row of an order is this; the stream says nothing."""
        standin = self._standin
        self._call(
            lambda: standin.broker.add_order(standin.account(account), dict(row))
        )

    def position(self, account: str, row: Mapping[str, Any]) -> None:
        """REST's row of a position is this; needs ``symbol`` and ``qty``."""
        standin = self._standin
        self._call(
            lambda: standin.broker.add_position(standin.account(account), dict(row))
        )

    def market(self, feed: str, messages: Iterable[Any]) -> None:
        """Market data happens; ``feed`` may be a family: stock, option, crypto.

        ``t`` may be an ISO text with nanoseconds or a datetime; without it, it is now.
        """
        taken = list(messages)
        self._call(lambda: self._standin.market(feed, taken))

    def push_raw(self, target: str, raw: bytes | str) -> None:
        """Send as it is to an account's listeners or a feed's subscribers."""
        self._call(lambda: self._standin.push_raw(target, raw))

    def push_packed(self, target: str, frames: Iterable[bytes | str]) -> int:
        """Send many ready frames as they are; returns when all are sent.

        To an account's listeners or a feed's subscribers, as fast as they read.
        """
        work = self._standin.push_packed(target, frames)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def disconnect(self, target: str, how: Cut = "clean") -> None:
        """End the connections of an account or feed, after what was pushed."""
        self._call(lambda: self._standin.disconnect(target, how))

    def close_port(self) -> None:
        """Refuse connections, and end those that are there."""
        self._wait(self._standin.close_port())

    def open_port(self) -> None:
        """Listen again, on the same port."""
        self._wait(self._standin.listen())

    def flush(self) -> None:
        """Wait until what was pushed is handed to the kernel."""
        self._wait(self._standin.flush())

    def connections(self, path: str | None = None) -> list[dict[str, Any]]:
        """Open sockets: path, account, is_live, sent, subscribed; of a path or feed."""
        wanted = data_stream.PATHS.get(path or "", path)
        found = self.state()["connections"]
        return [c for c in found if wanted is None or c["path"] == wanted]

    def is_live(self, target: str) -> bool:
        """Somebody listens to the account, or has subscribed to the feed."""
        return self._call(
            lambda: bool(
                self._standin.trading.listeners(target)
                if target in self._standin.broker.accounts
                else self._standin.data.clients(target)
            )
        )

    def wait_live(self, *targets: str, timeout: float = 10) -> None:
        """Wait until the accounts or feeds are listened to."""
        self.wait_for(lambda: all(map(self.is_live, targets)), timeout)

    def subscribed(self, feed: str) -> set[str]:
        """Symbols that anybody has subscribed on a feed, whatever the channel."""
        found: set[str] = set()
        for connection in self.connections(feed):
            found.update(*connection["subscribed"].values())
        return found

    def state(self) -> dict[str, Any]:
        return self._call(self._standin.state)

    def set_clock(self, instant: datetime | None, speed: float = 1.0) -> None:
        """Make it another time; None makes it the wall clock again."""
        self._standin.clock.set(instant, speed=speed)

    def start(self) -> None:
        """Begin a playback that waits."""
        if self.playback is not None:
            self._call(self.playback.begin)

    def wait_played(self, timeout: float = 30) -> None:
        """Wait until the recording was played to its end."""
        playback = self.playback
        assert playback is not None, "no recording is played"
        self.wait_for(lambda: playback.is_done, timeout)

    def wait_for(self, predicate: Callable[[], Any], timeout: float = 10) -> None:
        """Poll until it is true; TimeoutError where it never is."""
        deadline = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout:g} s: {self.state()}")
            time.sleep(0.01)

    def _call(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self._wait(run())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


@contextmanager
def running(
    recording: Recording | Sequence[Recording] | None = None,
    accounts: Mapping[str, tuple[str, str | None]] | None = None,
    *,
    speed: float = 1.0,
    max_gap: float | None = None,
    wait: bool = False,
    port: int = 0,
    faults: Faults | None = None,
) -> Iterator[Alpaca]:
    """A stand-in on a free port, in a thread of its own, until the block ends.

    Accounts are name: (key, secret), where a secret of None lets any pass; by default
    those of the recording, or ``main``, with the name as key.
    """
    if recording is None:
        paths = []
    elif isinstance(recording, str | Path):
        paths = [str(recording)]
    else:
        paths = [str(path) for path in recording]
    contents = look(paths)
    keys = default_keys(contents, accounts)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="standin", daemon=True)
    thread.start()
    standin = StandIn(keys, faults)
    alpaca = Alpaca(standin, loop)
    try:
        control, player = alpaca._wait(
            _started(standin, Plan(paths, contents, speed, wait, max_gap), port)
        )
        alpaca.playback = control.playback
        try:
            yield alpaca
        finally:
            alpaca._wait(stopped(standin, control, player))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def default_keys(
    contents: Contents, accounts: Mapping[str, tuple[str, str | None]] | None
) -> dict[str, tuple[str, str | None]]:
    """The given accounts, and those of the recording that are not among them."""
    keys = dict(accounts or {})
    for name in sorted(contents.accounts):
        keys.setdefault(name, (name, None))
    return keys or {"main": ("main", None)}


async def _started(
    standin: StandIn,
    plan: Plan,
    port: int,
) -> tuple[Control, asyncio.Task[None] | None]:
    playback = Playback(standin, plan) if plan.paths else None
    control = Control(standin, playback)
    standin.extra_routes = control.routes()
    await standin.start(port)
    return control, asyncio.create_task(playback.run()) if playback else None


async def stopped(
    standin: StandIn, control: Control, player: asyncio.Task[None] | None
) -> None:
    if player is not None:
        player.cancel()
        await asyncio.gather(player, return_exceptions=True)
    await control.stop()
    await standin.stop()
    # Handlers that never answer end with the server, not with their clients.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


__all__ = ["Alpaca", "default_keys", "running"]
