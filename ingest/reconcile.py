"""Comparing what was recorded of an account with what the broker says it holds.

It alarms and never repairs by guess: an execution that is missing is fetched again, a
difference that stays is an incident in raw.quarantine. The only row that it makes up is
a synthetic opening, where the recorded history demonstrably begins in the middle of a
position.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ingest import logs, openings
from ingest.facts import BrokerPosition, UnreadableError
from ingest.messages import positions
from ingest.openings import Derived
from ingest.progress import Progress
from ingest.recording import Entry, Problem
from ingest.sql import statement
from ingest.state import AccountState, utc_now
from ingest.tables.instruments import Instruments
from ingest.writer import Writer

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

LOG = logs.get(__name__)

# Crypto fees are taken in the coin and stated only the next day.
CRYPTO_FEE = Decimal("0.005")


class Looks:
    """What was seen before: a difference counts at its second look, unchanged.

    The broker's endpoints disagree with each other for some ten seconds, and facts
    may be on their way here.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._first: dict[str, tuple[Any, float]] = {}

    def confirmed(self, seen: dict[str, Any], now: float) -> set[str]:
        """The keys seen with the same value for at least the grace period."""
        stay = {}
        for key, value in seen.items():
            before = self._first.get(key)
            is_same = before is not None and before[0] == value
            stay[key] = before if is_same and before is not None else (value, now)
        self._first = stay
        return {
            key
            for key, (_, since) in stay.items()
            if now - since >= self._grace and now > since
        }


class Reconciler:
    """Compares one account after each catch-up; not for several threads.

    ``connect`` opens a connection; ``fetch_order(order_id)`` asks REST once more.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        account: str,
        state: AccountState,
        progress: Progress,
        grace_seconds: float,
        fetch_order: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._account = account
        self._state = state
        self._progress = progress
        self._fetch_order = fetch_order
        self._positions = Looks(grace_seconds)
        self._orders = Looks(grace_seconds)
        self._asked_for: set[str] = set()
        self._incidents: set[tuple[str, str]] = set()
        self._differences: dict[str, tuple[Decimal, Decimal]] = {}

    def look(
        self,
        positions: list[dict[str, Any]],
        broker_now: datetime,
        now: float | None = None,
    ) -> bool:
        """Compare once; true where a position differs as it did not before.

        Raises what the database raises.
        """
        now = time.monotonic() if now is None else now
        held = _held(positions, self._account)
        before = self._differences
        with closing(self._connect()) as connection:
            self._look_at_positions(connection, held, broker_now, now)
            self._look_at_orders(connection, now)
        return not self._differences.items() <= before.items()

    def _look_at_positions(
        self,
        connection: Connection,
        held: dict[str, BrokerPosition],
        broker_now: datetime,
        now: float,
    ) -> None:
        arguments = {
            "account": self._account,
            "observed_at": utc_now(),
            "listed": [position.symbol for position in held.values()],
        }
        with connection, connection.cursor() as cursor:
            cursor.execute(statement("reconcile/close_positions"), arguments)
            cursor.execute(statement("reconcile/derived_positions"), arguments)
            rows = [Derived(*row) for row in cursor.fetchall()]
        derived = {_key(row.symbol): row for row in rows}
        differences = {}
        for key in held.keys() | derived.keys():
            ours, theirs = derived.get(key), held.get(key)
            said = (
                theirs.qty if theirs else Decimal(0),
                ours.qty if ours else Decimal(0),
            )
            if not _is_equal(*said, ours):
                differences[key] = said
        self._differences = differences
        confirmed = self._positions.confirmed(differences, now)
        has_pending = len(confirmed) < len(differences)
        for key in sorted(confirmed):
            pair = derived.get(key), held.get(key)
            if self._is_settled(connection, *pair, key, broker_now):
                confirmed.discard(key)
                continue
            broker, recorded = differences[key]
            row, position = pair
            symbol = row.symbol if row else position.symbol if position else key
            self._incident(
                connection,
                "position_mismatch",
                f"{symbol}: the broker holds {broker}, the fills make {recorded}",
                {"symbol": symbol, "broker": str(broker), "derived": str(recorded)},
            )
        self._state.mismatches = len(confirmed)
        if not has_pending:
            self._progress.reconciled()

    def _is_settled(
        self,
        connection: Connection,
        ours: Derived | None,
        theirs: BrokerPosition | None,
        key: str,
        broker_now: datetime,
    ) -> bool:
        """Make or take back the opening that a difference is about, if it is."""
        broker, recorded = self._differences[key]
        difference = broker - recorded
        if ours is not None and openings.is_refuted(ours, difference):
            told = {"account": self._account, "symbol": ours.symbol}
            with connection, connection.cursor() as cursor:
                cursor.execute(statement("reconcile/delete_opening"), told)
            LOG.warning("opening_withdrawn", **told)
            return True
        is_first = self._progress.is_unreconciled
        opening = openings.explaining(ours, theirs, difference, is_first)
        if opening is None:
            return False
        row = {**asdict(opening), "account": self._account}
        row["opened_at"] = opening.opened_at or broker_now
        with connection, connection.cursor() as cursor:
            Instruments().ensure(cursor, {(opening.symbol, opening.asset_class)})
            cursor.execute(statement("reconcile/insert_opening"), row)
        LOG.warning(
            "opening_made",
            account=self._account,
            symbol=opening.symbol,
            qty=str(opening.qty),
            price=str(opening.price),
            reason=opening.reason,
        )
        return True

    def _look_at_orders(self, connection: Connection, now: float) -> None:
        with connection, connection.cursor() as cursor:
            arguments = {"account": self._account}
            cursor.execute(statement("reconcile/order_holes"), arguments)
            rows = cursor.fetchall()
        holes = {order_id: said for order_id, *said in rows}
        for order_id in holes.keys() - self._asked_for:
            self._fetch_order(order_id)
        self._asked_for = set(holes)
        confirmed = self._orders.confirmed(holes, now)
        for order_id in sorted(confirmed):
            symbol, recorded, filled = holes[order_id]
            self._incident(
                connection,
                "missing_execution",
                f"order {order_id}: {filled} {symbol} filled, {recorded} recorded",
                {
                    "order_id": order_id,
                    "symbol": symbol,
                    "filled": str(filled),
                    "recorded": str(recorded),
                },
            )
        self._state.holes = len(confirmed)

    def _incident(
        self, connection: Connection, code: str, reason: str, said: dict[str, Any]
    ) -> None:
        """One row of raw.quarantine for each distinct finding, however often it is."""
        message = {"from": "reconcile", "account": self._account, "msg": said}
        raw = json.dumps(message, sort_keys=True).encode()
        entry = Entry(
            raw, utc_now(), "reconcile", self._account, [], Problem(code, reason)
        )
        Writer(connection).write([entry])
        # Once: it is looked at again every round, and stays in the metrics.
        if (code, reason) not in self._incidents:
            self._incidents.add((code, reason))
            LOG.error("incident", code=code, account=self._account, reason=reason)


def _held(rows: list[dict[str, Any]], account: str) -> dict[str, BrokerPosition]:
    found = {}
    for row in rows:
        try:
            position = positions.fact(row, account)
        except UnreadableError as error:
            # The row itself went through the spool into quarantine.
            LOG.error("position_unreadable", account=account, reason=str(error))
        else:
            found[_key(position.symbol)] = position
    return found


def _key(symbol: str) -> str:
    """Positions name a crypto pair without its slash, fills with it."""
    return symbol.replace("/", "")


def _is_equal(broker: Decimal, ours: Decimal, derived: Derived | None) -> bool:
    if derived is not None and derived.asset_class == "crypto":
        traded = max(derived.bought or Decimal(0), abs(ours))
        return abs(broker - ours) <= CRYPTO_FEE * traded
    return broker == ours
