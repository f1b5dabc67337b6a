"""The stand-in's own endpoints: /standin/faults, /state, /start and the like."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from standin.faults import explain
from standin.playback import Playback
from standin.server import StandIn, answer


class Control:
    """Lets a running stand-in be looked at and put wrong, over HTTP."""

    def __init__(self, standin: StandIn, playback: Playback | None) -> None:
        self._standin, self.playback = standin, playback
        self._reopening: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/standin/faults", self._faults),
            web.post("/standin/faults", self._change),
            web.get("/standin/state", self._state),
            web.post("/standin/start", self._start),
            web.post("/standin/disconnect", self._disconnect),
            web.post("/standin/port", self._port),
        ]

    async def _faults(self, request: web.Request) -> web.Response:
        return answer(self._standin.faults.model_dump())

    async def _change(self, request: web.Request) -> web.Response:
        changes = await _json(request)
        if changes is None:
            return answer({"message": "the body must be a JSON object"}, 400)
        if changes.pop("reset", False):
            self._standin.faults.reset()
        try:
            self._standin.faults.change(changes)
        except ValidationError as error:
            return answer({"message": explain(error)}, 422)
        return answer(self._standin.faults.model_dump())

    async def _state(self, request: web.Request) -> web.Response:
        playback = self.playback.state() if self.playback else None
        return answer({**self._standin.state(), "playback": playback})

    async def _start(self, request: web.Request) -> web.Response:
        if self.playback is None:
            return answer({"message": "no recording to play"}, 409)
        self.playback.begin()
        return answer(self.playback.state())

    async def _disconnect(self, request: web.Request) -> web.Response:
        """``{"target": <account or feed>, "how": "clean" or "reset"}``."""
        wanted = await _json(request) or {}
        how = wanted.get("how", "clean")
        if how not in ("clean", "reset") or "target" not in wanted:
            return answer({"message": "target, and how: clean or reset"}, 422)
        self._standin.disconnect(str(wanted["target"]), how)
        return answer(self._standin.state())

    async def _port(self, request: web.Request) -> web.Response:
        """``{"closed_seconds": N}``: nothing listens for so long."""
        try:
            seconds = float((await _json(request) or {})["closed_seconds"])
        except (KeyError, TypeError, ValueError):
            return answer({"message": "closed_seconds must be a number"}, 422)
        task = asyncio.create_task(self._reopen(seconds))
        self._reopening.add(task)
        task.add_done_callback(self._reopening.discard)
        return answer({"closed_seconds": seconds})

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(0.05)  # the answer to this request goes out first
        await self._standin.close_port()
        await asyncio.sleep(seconds)
        await self._standin.listen()

    async def stop(self) -> None:
        for task in list(self._reopening):
            task.cancel()
        await asyncio.gather(*self._reopening, return_exceptions=True)


async def _json(request: web.Request) -> dict[str, Any] | None:
    try:
        value = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
