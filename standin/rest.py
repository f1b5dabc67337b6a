"""REST: the trading and market data endpoints, GET only."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from standin import clock, listings
from standin.broker import Account, Broker
from standin.connections import reset
from standin.faults import RestAnswer, RestFaults

Query = dict[str, str]
NO_ANSWER = 499  # what logs of other servers call a client that was not answered
HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came in; ``status`` 0 or 499: it was not answered."""

    method: str
    path: str
    query: Query
    account: str | None
    at: datetime
    status: int


class Rest:
    """Answers requests from what the broker knows."""

    def __init__(self, broker: Broker, faults: RestFaults) -> None:
        self._broker, self.faults = broker, faults
        self.requests: list[Request] = []
        self._recent: dict[str, deque[float]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Everything under a version; each path is looked up by ``_answer``."""
        return [web.route("*", "/{version:v[^/]*}/{path:.*}", self.handle)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        account = self._broker.by_key(
            request.headers.get("APCA-API-KEY-ID"),
            request.headers.get("APCA-API-SECRET-KEY"),
        )
        name = account.name if account else None
        status = 0
        try:
            response = await self._handle(request, account)
            status = response.status
            return response
        finally:
            self.requests.append(
                Request(
                    request.method,
                    request.path,
                    dict(request.query),
                    name,
                    self._broker.clock.now(),
                    status,
                )
            )

    async def _handle(
        self, request: web.Request, account: Account | None
    ) -> web.Response:
        if request.method != "GET":
            return _refusal(405, 40510000, "the stand-in takes no orders: GET only")
        if account is None:
            return _refusal(401, 40110000, "request is not authorized")
        headers, is_over = self._limit(account)
        due = self.faults.answer_for(request.path, account.name)
        if due is not None:
            wrong = await self._wrong(request, due)
            if wrong is not None:
                wrong.headers.update(headers)
                return wrong
        if is_over and self.faults.enforce_rate_limit:
            response = _refusal(429, 42910000, "rate limit exceeded")
        else:
            response = self._answer(account, request.path, dict(request.query))
        response.headers.update(headers)
        return response

    def _limit(self, account: Account) -> tuple[dict[str, str], bool]:
        """The rate limit's headers, and whether it is exceeded."""
        now, limit = time.monotonic(), self.faults.rate_limit
        recent = self._recent.setdefault(account.name, deque())
        while recent and recent[0] < now - 60:
            recent.popleft()
        is_over = len(recent) >= limit
        if not is_over:
            recent.append(now)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - len(recent)),
            "X-RateLimit-Reset": str(int(time.time() + 60 - (now - recent[0]))),
        }
        return headers, is_over

    async def _wrong(
        self, request: web.Request, answer: RestAnswer
    ) -> web.Response | None:
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.how == "never":
            await asyncio.Event().wait()
        if answer.how == "reset":
            reset(request)
            return web.Response(status=NO_ANSWER)
        if answer.status is None:
            return None
        if answer.status < 500 and answer.body is None:
            response = _refusal(
                answer.status, answer.status * 100_000, "refused by a fault"
            )
        else:
            body = HTML.format(answer.status) if answer.body is None else answer.body
            response = web.Response(
                status=answer.status, text=body, content_type="text/html"
            )
        if answer.retry_after is not None:
            response.headers["Retry-After"] = f"{answer.retry_after:g}"
        return response

    def _answer(self, account: Account, path: str, query: Query) -> web.Response:
        known: dict[str, Callable[[Account, Query], Any]] = {
            "/v2/account": self._account,
            "/v2/clock": self._clock,
            "/v2/account/activities": self._activities,
            "/v2/orders": self._orders,
            "/v2/positions": self._positions,
            "/v2/stocks/snapshots": self._stock_snapshots,
            "/v1beta1/options/snapshots": self._option_snapshots,
            "/v1beta3/crypto/us/snapshots": self._crypto_snapshots,
        }
        try:
            if path in known:
                found = known[path](account, query)
            elif path.startswith("/v2/account/activities/"):
                types = path.rpartition("/")[2]
                found = self._activities(account, {**query, "activity_types": types})
            elif path.startswith("/v2/orders/"):
                found = listings.order(account, path.rpartition("/")[2], query)
            elif path.startswith("/v2/positions/"):
                found = self._position(account, path.removeprefix("/v2/positions/"))
            else:
                return _refusal(404, 40410000, "endpoint not found")
        except listings.BadRequestError as error:
            return _refusal(422, 40010001, str(error))
        if found is None:
            return _refusal(404, 40410000, f"not found: {path.rpartition('/')[2]}")
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    def _account(self, account: Account, query: Query) -> Any:
        return {
            "id": account.id,
            "account_number": "PA" + account.id[:10].upper().replace("-", "0"),
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "cash": "100000",
            "portfolio_value": "100000",
            "equity": "100000",
            "last_equity": "100000",
            "buying_power": "200000",
            "multiplier": "2",
            "pattern_day_trader": False,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": False,
            "shorting_enabled": True,
            "options_approved_level": 3,
            "options_trading_level": 3,
            "created_at": "2026-01-02T15:00:00Z",
        }

    def _clock(self, account: Account, query: Query) -> Any:
        now = self._broker.clock.now()
        local = now.astimezone(clock.NEW_YORK)
        return {
            "timestamp": local.isoformat(),
            "is_open": clock.is_open(now),
            "next_open": clock.next_at(now, clock.OPEN).isoformat(),
            "next_close": clock.next_at(now, clock.CLOSE).isoformat(),
        }

    def _activities(self, account: Account, query: Query) -> Any:
        return listings.activities(account, query, self.faults)

    def _orders(self, account: Account, query: Query) -> Any:
        return listings.orders(account, query)

    def _positions(self, account: Account, query: Query) -> Any:
        return listings.positions(account, self._broker.market)

    def _position(self, account: Account, symbol: str) -> Any:
        spelled = symbol.replace("%2F", "/")
        for row in listings.positions(account, self._broker.market):
            if row["symbol"] in (symbol, spelled):
                return row
        return None

    def _stock_snapshots(self, account: Account, query: Query) -> Any:
        return listings.snapshots(self._broker.market, "stock", query)[0]

    def _option_snapshots(self, account: Account, query: Query) -> Any:
        found, token = listings.snapshots(self._broker.market, "option", query)
        return {"snapshots": found, "next_page_token": token}

    def _crypto_snapshots(self, account: Account, query: Query) -> Any:
        return {
            "snapshots": listings.snapshots(self._broker.market, "crypto", query)[0]
        }


def _refusal(status: int, code: int, text: str) -> web.Response:
    body = orjson.dumps({"code": code, "message": text})
    return web.Response(status=status, body=body, content_type="application/json")
