"""What the stream told of an account, against what REST tells. No I/O."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

REMEMBERED = 50_000


class Told:
    """Orders and executions that the stream told.

    For the event loop and the account's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: OrderedDict[str, None] = OrderedDict()
        self._executions: OrderedDict[tuple[str, str], None] = OrderedDict()

    def take(self, message: Any) -> None:
        """A frame of the stream; one of another shape tells nothing."""
        data = message.get("data") if isinstance(message, dict) else None
        order = data.get("order") if isinstance(data, dict) else None
        if not isinstance(order, dict):
            return
        legs = order.get("legs")
        with self._lock:
            for one in (order, *(legs if isinstance(legs, list) else ())):
                if isinstance(one, dict):
                    order_id = str(one.get("id"))
                    self._orders[order_id] = None
                    key = (order_id, _plain(one.get("filled_qty")))
                    self._executions[key] = None
            for told in (self._orders, self._executions):
                while len(told) > REMEMBERED:
                    told.popitem(last=False)

    def order(self, order_id: str) -> bool:
        with self._lock:
            return order_id in self._orders

    def execution(self, row: dict[str, Any]) -> bool:
        """Whether it told the execution of REST's FILL row."""
        key = (str(row.get("order_id")), _plain(row.get("cum_qty")))
        with self._lock:
            return key in self._executions


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

    def look(self, rows: list[dict[str, Any]], live_for: float, now: float) -> int:
        """How many are missed; ``live_for`` seconds the stream has been live."""
        missed = [r for r in self._suspects.values() if not self._told.execution(r)]
        before = self._was_live_at
        is_judged = before is not None and live_for > now - before
        new = [row for row in rows if str(row.get("id")) not in self._known]
        self._suspects = {
            str(row.get("id")): row
            for row in new
            if is_judged and not self._told.execution(row)
        }
        for row in new:
            self._known[str(row.get("id"))] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._was_live_at = now if live_for > 0 else None
        return len(missed)


def _plain(quantity: Any) -> str:
    """One spelling for equal quantities."""
    text = str(quantity)
    return text.rstrip("0").rstrip(".") if "." in text else text
