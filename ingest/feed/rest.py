"""Alpaca's REST endpoints, for reading only.

alpaca-py's base client has no HTTP timeout, retries in its own fixed way and could
send anything. Here it can send GET requests only, each with a deadline, within the
broker's rate limit, and repeated with a bounded back-off.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient

from ingest.errors import ExcursionError

TRADING_URLS = {
    True: "https://paper-api.alpaca.markets",
    False: "https://api.alpaca.markets",
}
DATA_URL = "https://data.alpaca.markets"
CONNECT_SECONDS = 5.0
ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 30.0


class RestError(ExcursionError):
    """A request failed for good; ``status`` is None where no answer came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotReadingError(RuntimeError):
    """Something tried to send more than a question to the broker."""


class ReadOnlySession(requests.Session):
    """Refuses every method but GET, and waits for no answer for ever."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__()
        self._timeout = (CONNECT_SECONDS, timeout_seconds)

    def send(self, request: requests.PreparedRequest, **options: Any) -> Any:
        if request.method != "GET":
            raise NotReadingError(
                f"excursion only watches: refused to send {request.method}"
            )
        options["timeout"] = self._timeout
        return super().send(request, **options)


class Pace:
    """At most ``per_minute`` requests in any 60 s; for any number of threads."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> bool:
        """Until another request may be sent; false where ``stop`` came first."""
        while True:
            with self._lock:
                now = time.monotonic()
                while self._sent and now - self._sent[0] >= 60:
                    self._sent.popleft()
                if len(self._sent) < self._per_minute:
                    self._sent.append(now)
                    return True
                pause = 60 - (now - self._sent[0])
            if stop.wait(pause):
                return False


class ReadOnlyClient(RESTClient):
    """GET requests to one host with one account's keys. For one thread.

    ``requests_made`` counts by (``name``, outcome).
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        keys: tuple[str, str],
        *,
        pace: Pace,
        timeout_seconds: float,
        stop: threading.Event,
        requests_made: Counter[tuple[str, str]],
    ) -> None:
        super().__init__(base_url, *keys, raw_data=True)
        self._session = ReadOnlySession(timeout_seconds)
        # Its own retries sleep 3 s each and cannot be interrupted.
        self._retry = 0
        self._name = name
        self._pace = pace
        self._stop = stop
        self._requests_made = requests_made

    def read(self, path: str, parameters: dict[str, Any], version: str = "v2") -> Any:
        """The answer as JSON with exact numbers as their text where they are texts.

        Raises RestError after a bounded number of attempts, or when stopping.
        """
        for attempt in range(1, ATTEMPTS + 1):
            if not self._pace.wait(self._stop):
                break
            try:
                answer = self.get(path, parameters, api_version=version)
            except (APIError, requests.RequestException) as error:
                status, pause = _judged(error)
                self._count(str(status or _kind(error)))
                if pause is None or attempt == ATTEMPTS:
                    raise RestError(_said(path, error, status), status) from None
                if self._stop.wait(max(pause, 2.0 ** (attempt - 1))):
                    break
            else:
                self._count("200")
                return answer
        raise RestError(f"{path}: not asked, the ingester is stopping")

    def _count(self, outcome: str) -> None:
        self._requests_made[self._name, outcome] += 1


def _judged(error: Exception) -> tuple[int | None, float | None]:
    """The HTTP status, and how long to wait at least; None: do not try again."""
    if not isinstance(error, APIError):
        return None, 0.0
    response = getattr(error, "response", None)
    status: int | None = getattr(response, "status_code", None)
    if status != 429 and (status is None or status < 500):
        return status, None
    stated = response.headers.get("Retry-After", "") if response is not None else ""
    pause = float(stated) if stated.isdecimal() else 0.0
    return status, min(pause, LONGEST_PAUSE_SECONDS)


def _kind(error: Exception) -> str:
    return "timeout" if isinstance(error, requests.Timeout) else "error"


def _said(path: str, error: Exception, status: int | None) -> str:
    if status is None:
        return f"{path}: no answer ({type(error).__name__})"
    hint = ": check the account's keys" if status in (401, 403) else ""
    return f"{path}: the broker answered {status}{hint}"
