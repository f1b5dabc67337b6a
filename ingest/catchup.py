"""Catch-up: what REST knows of one account, asked for again and again.

The streams have no replay: what is sent while nobody listens, or dropped on the way, is
only found by asking. Executions are asked for over a window that overlaps the last one
(a cursor of the last id would skip rows that appear late), everything of the last days
once a night by date (some rows are only listed there), and the rest as it stands.
All of it goes through the spool, where the database tells new from known.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from ingest import logs, values
from ingest.errors import ExcursionError
from ingest.facts import UnreadableError
from ingest.feed import lines
from ingest.identity import AccountRefusedError, Identities
from ingest.progress import Progress
from ingest.settings import Ingest
from ingest.state import AccountState, utc_now
from ingest.told import Told

LOG = logs.get(__name__)

NEW_YORK = ZoneInfo("America/New_York")
PAGE = 100
ORDER_PAGE = 500
# Eight days hold at least five trading days, whatever the holidays.
SWEEP_DAYS = 8
# Statuses of non-trade activities change later, and paper accounts state them a day
# late.
NON_TRADE_DAYS = 5
NON_TRADE_SECONDS = 3600
# Orders asked for one by one in a round: those of fills whose order was never seen.
MISSING_ORDERS = 20
REMEMBERED = 50_000
# What is kept of an execution: of a busy account's quarter there are many.
IDENTITY = ("id", "order_id", "cum_qty", "transaction_time")
NO_SUCH_ORDER = frozenset({400, 404, 410, 422})

T = TypeVar("T")


class Client(Protocol):
    """What is asked: ingest.feed.rest.ReadOnlyClient."""

    def read(self, path: str, parameters: dict[str, Any], version: str = "v2") -> Any:
        """The answer; raises ExcursionError where there is none."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round saw.

    ``positions`` and ``open_orders`` are None where the broker did not tell them;
    ``fills`` holds of each execution what identifies it. ``problem`` is the first
    question that failed: the round is not complete.
    """

    broker_now: datetime
    positions: list[dict[str, Any]] | None
    open_orders: list[dict[str, Any]] | None
    fills: list[dict[str, Any]]
    problem: ExcursionError | None


class CatchUp:
    """Asks for one account; not for several threads.

    ``append(line)`` spools a line. ``told`` is what the stream told, which need not be
    asked for. ``progress`` remembers across restarts up to where everything was asked
    for.
    """

    def __init__(
        self,
        client: Client,
        account: str,
        state: AccountState,
        settings: Ingest,
        progress: Progress,
        append: Callable[[bytes], None],
        told: Told,
        identities: Identities,
    ) -> None:
        self._told = told
        self._identities = identities
        self._client = client
        self._account = account
        self._state = state
        self._settings = settings
        self._progress = progress
        self._append = append
        self._spooled: OrderedDict[bytes, None] = OrderedDict()
        self._orders: OrderedDict[str, None] = OrderedDict()
        self._is_identified = self._has_listed = False
        self._open: set[str] = set()
        self._missing: dict[str, None] = {}
        self._positions_told: dict[str, tuple[Any, Any]] = {}

    def round(self) -> Round:
        """Ask for everything that is due, and spool what was not spooled yet.

        One question that fails does not keep the others from being asked. The caller
        makes the spool durable and then calls ``settled``, if there was no problem.
        Raises ExcursionError where not even the clock answers, AccountRefusedError
        where this is not the account that the name stands for.
        """
        now = self._clock()
        problems: list[ExcursionError] = []

        def ask(question: Callable[[], T]) -> T | None:
            try:
                return question()
            except AccountRefusedError:
                raise
            except ExcursionError as error:
                problems.append(error)
                return None

        ask(self._identify)
        # First what is held: its marks cannot be asked for later.
        positions, orders = ask(self._positions), ask(self._open_orders)
        fills = ask(lambda: self._fills(now)) or []
        ask(lambda: self._orders_since_last_time(now))
        if self._progress.is_sweep_due(now.astimezone(NEW_YORK).date()):
            ask(lambda: self._sweep(now))
        if self._progress.is_non_trade_due(now, NON_TRADE_SECONDS):
            ask(lambda: self._non_trade(now))
        ask(lambda: self._missing_orders(fills))
        problem = problems[0] if problems else None
        return Round(now, positions, orders, fills, problem)

    def settled(self, done: Round) -> None:
        """All of the round is durable: the next one starts from here."""
        self._progress.reached(done.broker_now)
        self._state.last_catchup_at = utc_now()
        self._state.catchup_problem = None

    def fetch_order(self, order_id: str) -> None:
        """Ask once more for an order and its executions, whatever was spooled."""
        for row in self._pages({"activity_types": "FILL", "order_id": order_id}):
            if row.get("order_id") == order_id:
                self._spool("activities", row, again=True)
        self._order(order_id, again=True)

    def fetch_non_trade(self, done: Round) -> None:
        """Ask out of turn for what moves positions without a trade."""
        self._non_trade(done.broker_now)

    def _caught_up_to(self, now: datetime) -> datetime:
        backfill = timedelta(days=self._settings.backfill_days)
        # The broker's clock may have been set back.
        return min(self._progress.caught_up_to or now - backfill, now)

    def _clock(self) -> datetime:
        """The broker's own clock: windows must not depend on this machine's."""
        answer = self._client.read("/clock", {})
        try:
            return values.required_instant(answer.get("timestamp"), "timestamp")
        except (UnreadableError, AttributeError) as error:
            raise ExcursionError(f"/clock: not understood ({error})") from None

    def _identify(self) -> None:
        if not self._is_identified:
            answer = self._client.read("/account", {})
            account_id = answer.get("id") if isinstance(answer, dict) else None
            if isinstance(account_id, str):
                self._identities.check(self._account, account_id, self._progress)
            self._is_identified = True

    def _orders_since_last_time(self, now: datetime) -> None:
        """Once: orders may have ended while nobody listened."""
        if not self._has_listed:
            since = self._caught_up_to(now) - timedelta(days=1)
            self._orders_listed(status="all", after=lines.instant(since))
            self._has_listed = True

    def _fills(self, now: datetime) -> list[dict[str, Any]]:
        overlap = timedelta(minutes=self._settings.overlap_minutes)
        since = self._caught_up_to(now) - overlap
        window = {"activity_types": "FILL", "after": lines.instant(since)}
        found = []
        for row in self._pages(window):
            self._spool("activities", row)
            found.append({key: row.get(key) for key in IDENTITY})
        return found

    def _sweep(self, now: datetime) -> None:
        """The last days by date, with what the paged windows may have left out."""
        today = now.astimezone(NEW_YORK).date()
        days = SWEEP_DAYS
        last = self._progress.last_sweep
        if last is not None:
            days = min(max(days, (today - last).days + 2), self._settings.backfill_days)
        found = 0
        for back in range(days):
            day = today - timedelta(days=back)
            for row in self._pages({"date": day.isoformat()}):
                found += self._spool("activities", row, again=True)
        # And the orders that they belong to, with what only orders tell.
        begin = lines.instant(now - timedelta(days=days))
        self._orders_listed(status="all", after=begin)
        self._progress.swept(today)
        LOG.info("swept", account=self._account, days=days, rows=found)

    def _non_trade(self, now: datetime) -> None:
        since = self._progress.non_trade_up_to
        if since is None:
            since = now - timedelta(days=self._settings.backfill_days)
        after = lines.instant(since - timedelta(days=NON_TRADE_DAYS))
        window = {"category": "non_trade_activity", "after": after}
        for row in self._pages(window):
            self._spool("activities", row)
        self._progress.non_trade_reached(now)

    def _pages(self, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """All rows of the activities, page by page, oldest first."""
        asked = {"direction": "asc", "page_size": PAGE, **parameters}
        seen: set[str] = set()
        while True:
            rows, size = self._rows("/account/activities", asked, "activities")
            new = [row for row in rows if str(row.get("id")) not in seen]
            yield from new
            # With `date` some servers send everything at once, and again.
            if size < PAGE or not new:
                return
            seen.update(str(row.get("id")) for row in new)
            asked["page_token"] = rows[-1].get("id")

    def _rows(
        self, path: str, asked: dict[str, Any], channel: str
    ) -> tuple[list[dict[str, Any]], int]:
        """The rows of a list, and its length.

        What is no row is spooled as it is, for quarantine; the others are read on.
        """
        answer = self._client.read(path, asked)
        if not isinstance(answer, list):
            raise ExcursionError(f"{path}: not understood (no list)")
        for row in answer:
            if not isinstance(row, dict):
                self._spool(channel, row)
        return [row for row in answer if isinstance(row, dict)], len(answer)

    def _orders_listed(self, **asked: Any) -> list[dict[str, Any]]:
        """All orders of a question, page by page, oldest first; each is spooled."""
        asked = {"nested": True, "limit": ORDER_PAGE, "direction": "asc", **asked}
        found: dict[str, dict[str, Any]] = {}
        while True:
            rows, size = self._rows("/orders", asked, "orders")
            known = len(found)
            for row in rows:
                self._saw_order(row)
                found[str(row.get("id"))] = row
            if size < ORDER_PAGE or len(found) == known:
                return list(found.values())
            # Exclusive, and several orders may have been sent in one instant.
            sent = (values.instant(r.get("submitted_at"), "submitted_at") for r in rows)
            last = max(at for at in sent if at is not None)
            asked["after"] = lines.instant(last - timedelta(milliseconds=1))

    def _positions(self) -> list[dict[str, Any]]:
        rows, _ = self._rows("/positions", {}, "positions")
        # Their prices move all the time; told is the position, when it changes.
        seen = {
            str(row.get("symbol")): (row.get("qty"), row.get("avg_entry_price"))
            for row in rows
        }
        for row in rows:
            symbol = str(row.get("symbol"))
            if self._positions_told.get(symbol) != seen[symbol]:
                self._append(lines.line("positions", row, self._account))
        self._positions_told = seen
        return rows

    def _open_orders(self) -> list[dict[str, Any]]:
        """The open orders; of one that is not open any more its end is asked for."""
        orders = self._orders_listed(status="open")
        is_open = {str(row.get("id")) for row in orders}
        closed = [o for o in self._open - is_open if not self._told.end(o)]
        for order_id in closed[:MISSING_ORDERS]:
            self._order(order_id)
        self._open = is_open.union(closed[MISSING_ORDERS:])
        return orders

    def _missing_orders(self, fills: list[dict[str, Any]]) -> None:
        """Orders that filled unseen: neither open now nor told by the stream."""
        filled = (row.get("order_id") for row in fills)
        self._missing.update(dict.fromkeys(o for o in filled if isinstance(o, str)))
        for order_id in list(self._missing):
            if order_id in self._orders or self._told.order(order_id):
                del self._missing[order_id]
        # The rest is asked for in the next rounds.
        for order_id in list(self._missing)[:MISSING_ORDERS]:
            self._order(order_id)

    def _order(self, order_id: str, again: bool = False) -> None:
        try:
            row = self._client.read(f"/orders/{order_id}", {"nested": True})
        except ExcursionError as error:
            if getattr(error, "status", None) not in NO_SUCH_ORDER:
                raise
            # A paper account that was reset forgets its orders, not its fills.
            self._remember(self._orders, order_id)
            return
        self._saw_order(row, again)

    def _saw_order(self, row: dict[str, Any], again: bool = False) -> None:
        self._spool("orders", row, again=again)
        legs = row.get("legs")
        for order in (row, *(legs if isinstance(legs, list) else ())):
            if isinstance(order, dict):
                self._remember(self._orders, str(order.get("id")))

    def _spool(self, channel: str, row: Any, *, again: bool = False) -> bool:
        """Append a row, unless it was appended lately; true where it is new."""
        said = lines.encoded([channel, row])
        digest = hashlib.blake2b(said, digest_size=16).digest()
        is_new = digest not in self._spooled
        self._remember(self._spooled, digest)
        if is_new or again:
            self._append(lines.line(channel, row, self._account))
        return is_new

    @staticmethod
    def _remember(seen: OrderedDict[Any, None], key: Any) -> None:
        seen[key] = None
        seen.move_to_end(key)
        while len(seen) > REMEMBERED:
            seen.popitem(last=False)
