"""What the stream told of an account, against what REST tells. No I/O."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from ingest import values
from ingest.facts import UnreadableError
from ingest.watchlist import FINAL

REMEMBERED = 50_000


class Told:
    """Orders and executions that the stream told.

    For the event loop and the account's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: OrderedDict[str, bool] = OrderedDict()
        self._executions: OrderedDict[tuple[str, str], None] = OrderedDict()

    def take(self, message: Any) -> None:
        """A frame of the stream; one of another shape tells nothing."""
        data = message.get("data") if isinstance(message, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("order"), dict):
            return
        order = data["order"]
        legs = order.get("legs")
        with self._lock:
            for one in (order, *(legs if isinstance(legs, list) else ())):
                if isinstance(one, dict):
                    order_id = str(one.get("id"))
                    ended = one.get("status") in FINAL or self._orders.get(order_id)
                    self._orders[order_id] = bool(ended)
                    key = (order_id, _plain(one.get("filled_qty")))
                    self._executions[key] = None
            executions = data.get("legs")
            for one in (data, *(executions if isinstance(executions, list) else ())):
                if isinstance(one, dict) and one.get("execution_id"):
                    self._executions["", str(one["execution_id"]).lower()] = None
            while len(self._orders) > REMEMBERED:
                self._orders.popitem(last=False)
            while len(self._executions) > REMEMBERED:
                self._executions.popitem(last=False)

    def order(self, order_id: str) -> bool:
        with self._lock:
            return order_id in self._orders

    def end(self, order_id: str) -> bool:
        """Whether it told that the order has ended."""
        with self._lock:
            return self._orders.get(order_id, False)

    def execution(self, row: dict[str, Any]) -> bool:
        """Whether it told the execution of REST's FILL row."""
        # By its id, or by its place: neither alone is promised to be the stream's.
        place = (str(row.get("order_id")), _plain(row.get("cum_qty")))
        own = ("", str(row.get("id")).partition("::")[2].lower())
        with self._lock:
            return place in self._executions or own in self._executions


class MissedByStream:
    """Finds executions that a live stream did not deliver.

    A row that REST shows for the first time happened since the round before. If the
    stream was live all that while, and has not told it by the next round either, then
    it will not.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._known: OrderedDict[str, None] = OrderedDict()
        self._suspects: dict[str, dict[str, Any]] = {}
        self._was_live_at: float | None = None

    def look(
        self,
        rows: list[dict[str, Any]],
        live_for: float,
        now: float,
        broker_now: datetime,
    ) -> int:
        """How many are missed.

        ``live_for``: seconds that the stream has been live; ``now``: monotonic.
        """
        live_since = broker_now - timedelta(seconds=live_for)
        missed = [r for r in self._suspects.values() if not self._told.execution(r)]
        before = self._was_live_at
        is_judged = before is not None and live_for > now - before
        new = [row for row in rows if str(row.get("id")) not in self._known]
        self._suspects = {
            str(row.get("id")): row
            for row in new
            # A row that is listed late may be from before.
            if is_judged
            and _happened_after(live_since, row)
            and not self._told.execution(row)
        }
        for row in new:
            self._known[str(row.get("id"))] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._was_live_at = now if live_for > 0 else None
        return len(missed)


def _happened_after(instant: datetime, row: dict[str, Any]) -> bool:
    try:
        happened = values.instant(row.get("transaction_time"), "transaction_time")
    except UnreadableError:
        return False
    return happened is not None and happened > instant


def _plain(quantity: Any) -> str:
    """One spelling for equal quantities."""
    text = str(quantity)
    return text.rstrip("0").rstrip(".") if "." in text else text
