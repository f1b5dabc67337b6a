"""Recording lines to plain facts, for the reference; nothing of ``ingest`` is used.

It reads what the broker means, not what it repeats: an execution that came twice, or
from the stream and from REST, is one execution, and equal marks are one mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

#: Activities that move a position; fees and dividends are money beside it.
MOVING = frozenset({"OPEXP", "OPASN", "OPEXC", "OPTRD", "SPLIT"})


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A fill, or the bust or correction of one (``names`` is what it takes back)."""

    account: str
    symbol: str
    order_id: str
    execution_id: str
    kind: str  # fill, bust, correct
    names: str | None
    signed_quantity: Fraction
    price: Fraction
    cumulative: Fraction
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Activity:
    """A row that moves a position without an order; ``at`` is when it happens."""

    account: str
    symbol: str
    type: str
    id: str
    quantity: Fraction
    price: Fraction
    description: str
    at: datetime


@dataclass(kw_only=True)
class Facts:
    """What a recording says, each fact once."""

    executions: dict[str, Execution] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    #: Usable marks: per symbol the distinct (instant, price).
    marks: dict[str, set[tuple[datetime, Fraction]]] = field(default_factory=dict)


def read(lines: Iterable[str]) -> Facts:
    """The facts of recording lines, in any order of delivery."""
    facts = Facts()
    places: dict[tuple[str, str, Fraction], str] = {}
    activities: dict[tuple[str, str, str], dict[str, Activity]] = {}
    for line in lines:
        envelope = json.loads(line, parse_float=Decimal)
        channel, message = envelope["from"], envelope["msg"]
        account = envelope.get("account", "")
        if channel in ("stock_data", "option_data", "crypto_data"):
            _read_mark(message, facts)
        elif channel == "trade_updates":
            execution = _from_stream(message["data"], account)
            if execution is not None:
                _keep(execution, facts, places)
        elif channel == "activities" and message["activity_type"] == "FILL":
            _keep(_from_rest(message, account), facts, places)
        elif channel == "activities" and message["activity_type"] in MOVING:
            key = (account, message["activity_type"], message["id"])
            status = message.get("status", "executed")
            activities.setdefault(key, {})[status] = _activity(message, account)
    for versions in activities.values():
        if "canceled" not in versions:
            newest = versions.get("correct") or versions["executed"]
            facts.activities.append(newest)
    return facts


def instant(text: str) -> datetime:
    """An instant cut off to microseconds."""
    clock, _, rest = text.partition(".")
    digits = rest.rstrip("Z").partition("+")[0].partition("-")[0]
    zone = rest[len(digits) :] if rest else ""
    if not rest:
        return datetime.fromisoformat(clock).astimezone(UTC)
    whole = datetime.fromisoformat(clock + (zone or "Z")).astimezone(UTC)
    return whole.replace(microsecond=int(digits[:6].ljust(6, "0")))


def _keep(
    execution: Execution,
    facts: Facts,
    places: dict[tuple[str, str, Fraction], str],
) -> None:
    if execution.kind == "fill":
        place = (execution.account, execution.order_id, execution.cumulative)
        if places.setdefault(place, execution.execution_id) != execution.execution_id:
            return
    facts.executions.setdefault(execution.execution_id, execution)


def _from_stream(data: dict[str, Any], account: str) -> Execution | None:
    kinds = {"fill": "fill", "partial_fill": "fill"}
    kinds |= {"trade_bust": "bust", "trade_correct": "correct"}
    kind, order = kinds.get(data["event"]), data["order"]
    if kind is None:
        return None
    sign = 1 if order["side"] == "buy" else -1
    names = data.get("previous_execution_id")
    return Execution(
        account=account,
        symbol=order["symbol"],
        order_id=order["id"].lower(),
        execution_id=data["execution_id"].lower(),
        kind=kind,
        names=names.lower() if names else None,
        signed_quantity=sign * abs(Fraction(data["qty"])),
        price=Fraction(data["price"]),
        cumulative=Fraction(order["filled_qty"]),
        at=instant(data["timestamp"]),
    )


def _from_rest(row: dict[str, Any], account: str) -> Execution:
    sign = 1 if row["side"] == "buy" else -1
    return Execution(
        account=account,
        symbol=row["symbol"],
        order_id=row["order_id"].lower(),
        execution_id=row["id"].partition("::")[2].lower(),
        kind="fill",
        names=None,
        signed_quantity=sign * Fraction(row["qty"]),
        price=Fraction(row["price"]),
        cumulative=Fraction(row["cum_qty"]),
        at=instant(row["transaction_time"]),
    )


def _activity(row: dict[str, Any], account: str) -> Activity:
    wall_clock = time(4) if row["activity_type"] == "SPLIT" else time(16)
    day = date.fromisoformat(row["date"])
    return Activity(
        account=account,
        symbol=row["symbol"],
        type=row["activity_type"],
        id=row["id"],
        quantity=Fraction(row["qty"]),
        price=Fraction(row.get("price") or 0),
        description=row.get("description") or "",
        at=datetime.combine(day, wall_clock, NEW_YORK).astimezone(UTC),
    )


def _read_mark(message: dict[str, Any], facts: Facts) -> None:
    if message["T"] == "q":
        bid, ask = (Fraction(message.get(key) or 0) for key in ("bp", "ap"))
        price = (bid + ask) / 2 if 0 < bid <= ask else Fraction(0)
    elif message["T"] == "t":
        price = Fraction(message.get("p") or 0)
    else:
        return
    if price > 0:
        observed = (instant(message["t"]), price)
        facts.marks.setdefault(message["S"], set()).add(observed)
