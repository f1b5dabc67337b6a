"""Which symbols need marks: held, or with an order that may still fill. No I/O.

Told by REST's positions and open orders, and in between by each frame of the trading
streams, so that a position is marked from its first second on.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from ingest import values
from ingest.facts import UnreadableError

CHANNEL_OF = {
    "us_equity": "stock_data",
    "us_option": "option_data",
    "crypto": "crypto_data",
}
# After these an order is not waited for any more. A fill may still come: then the
# symbol is held, or was marked until just before.
FINAL = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
# REST's lists lag behind the stream: what a frame told is not forgotten for them.
FRESH_SECONDS = 60.0
# Ended orders that are remembered, so that a late frame does not revive one.
REMEMBERED = 10_000


class Watchlist:
    """Symbols by channel, from all accounts; for any thread."""

    def __init__(self, always: Iterable[str] = ()) -> None:
        """``always``: symbols to mark whether held or not."""
        self._lock = threading.Lock()
        self._held: dict[str, set[str]] = {}
        self._live: dict[str, dict[str, set[str]]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        # Held, as a frame told: until when REST need not agree.
        self._fresh: dict[tuple[str, str], float] = {}
        self._listed: dict[str, set[str]] = {}
        self._always = set(always)
        self._classes: dict[str, str | None] = {}

    def symbols(self) -> dict[str, set[str]]:
        """The symbols wanted of each channel of recordings."""
        with self._lock:
            now = time.monotonic()
            self._fresh = {key: at for key, at in self._fresh.items() if at > now}
            wanted = set(self._always).union(*self._held.values())
            wanted.update(symbol for _, symbol in self._fresh)
            for orders in self._live.values():
                wanted.update(*orders.values())
            found: dict[str, set[str]] = {name: set() for name in CHANNEL_OF.values()}
            for symbol in wanted:
                known = values.instrument(symbol, self._classes.get(symbol))
                pair = values.pair(symbol, known.asset_class)
                found[CHANNEL_OF[known.asset_class]].add(pair)
            return found

    def saw_frame(self, account: str, message: Any) -> None:
        """A trade update; frames of any other shape tell nothing."""
        data = message.get("data") if isinstance(message, dict) else None
        order = data.get("order") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(order, dict):
            return
        held = data.get("position_qtys")
        quantities = dict(held) if isinstance(held, dict) else {}
        if isinstance(order.get("symbol"), str) and data.get("position_qty"):
            quantities[order["symbol"]] = data["position_qty"]
        with self._lock:
            self._order(account, order)
            for symbol, quantity in quantities.items():
                if _is_zero(quantity):
                    self._held.get(account, set()).discard(symbol)
                    self._fresh.pop((account, symbol), None)
                else:
                    self._held.setdefault(account, set()).add(symbol)
                    self._fresh[account, symbol] = time.monotonic() + FRESH_SECONDS

    def saw_positions(self, account: str, rows: Iterable[dict[str, Any]]) -> None:
        """All positions of an account, as REST lists them."""
        rows = [row for row in rows if isinstance(row.get("symbol"), str)]
        with self._lock:
            for row in rows:
                self._classes[row["symbol"]] = row.get("asset_class")
            self._held[account] = {row["symbol"] for row in rows}

    def saw_open_orders(self, account: str, rows: Iterable[dict[str, Any]]) -> None:
        """All open orders of an account, as REST lists them."""
        with self._lock:
            listed = {str(row.get("id")) for row in rows}
            live = self._live.setdefault(account, {})
            # One that a frame told since the list was asked for stays one more round.
            for order_id in self._listed.get(account, set()) - listed:
                live.pop(order_id, None)
            self._listed[account] = listed | live.keys()
            for row in rows:
                self._order(account, row)

    def _order(self, account: str, order: dict[str, Any]) -> None:
        order_id = order.get("id")
        if not isinstance(order_id, str):
            return
        live = self._live.setdefault(account, {})
        if str(order.get("status")) in FINAL:
            live.pop(order_id, None)
            self._ended[order_id] = None
            while len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)
        elif order_id not in self._ended:
            live[order_id] = set(self._symbols_of(order))
        legs = order.get("legs")
        for leg in legs if isinstance(legs, list) else ():
            if isinstance(leg, dict):
                self._order(account, leg)

    def _symbols_of(self, order: dict[str, Any]) -> Iterable[str]:
        symbol = order.get("symbol")
        if isinstance(symbol, str) and symbol:
            self._classes[symbol] = order.get("asset_class")
            yield symbol


def _is_zero(quantity: Any) -> bool:
    try:
        return values.decimal(quantity, "position_qty") == 0
    except UnreadableError:
        return False
