"""The lists that REST answers with: filtered, sorted, cut into pages."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime
from decimal import Decimal

from standin import wire
from standin.broker import CLOSED, Account, Activity, Position, Row
from standin.faults import RestFaults

Query = dict[str, str]
Market = dict[str, dict[str, dict[str, Row]]]
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
FAMILIES = {"us_equity": "stock", "us_option": "option", "crypto": "crypto"}


class BadRequestError(Exception):
    """A parameter is wrong: Alpaca answers 422."""


def activities(account: Account, query: Query, faults: RestFaults) -> list[Row]:
    """Rows of the activities, the latest first unless asked otherwise.

    The order is that of the ids: New York's wall clock, then the uuid, which within
    one millisecond is no order at all.
    """
    if "date" in query and ("after" in query or "until" in query):
        raise BadRequestError("date cannot be used with after or until")
    rows = [row for row in account.activities.values() if row.due <= time.monotonic()]
    types = {name for name in query.get("activity_types", "").split(",") if name}
    if types:
        rows = [row for row in rows if row.row.get("activity_type") in types]
    category = query.get("category")
    if category is not None:
        if category not in ("trade_activity", "non_trade_activity"):
            raise BadRequestError("category is invalid")
        is_trade = category == "trade_activity"
        rows = [r for r in rows if (r.row.get("activity_type") == "FILL") == is_trade]
    if "order_id" in query:
        rows = [row for row in rows if row.row.get("order_id") == query["order_id"]]
    if "date" in query:
        day = _day(query["date"])
        rows = [row for row in rows if row.day == day]
    else:
        rows = [row for row in rows if not _is_hidden(row, faults)]
    after, until = _bound(query, "after"), _bound(query, "until")
    rows = [
        row
        for row in rows
        if (after is None or row.moment > after)
        and (until is None or row.moment < until)
    ]
    is_descending = _is_descending(query)
    rows.sort(key=lambda row: row.id, reverse=is_descending)
    token = query.get("page_token")
    if token:
        rows = [r for r in rows if (r.id < token if is_descending else r.id > token)]
    # A date's rows come all at once unless a page size is asked for.
    size = _number(query, "page_size", 100 if "date" not in query else None, 100)
    page = [row.row for row in rows[:size]]
    if faults.shuffle_rows:
        random.shuffle(page)
    return page


def _is_hidden(row: Activity, faults: RestFaults) -> bool:
    order_id = row.row.get("order_id")
    return any(part in row.id or part == order_id for part in faults.hide)


def orders(account: Account, query: Query) -> list[Row]:
    """Rows of orders, the last submitted first unless asked otherwise."""
    status = query.get("status", "open")
    if status not in ("open", "closed", "all"):
        raise BadRequestError("status must be open, closed or all")
    rows = [row for known in account.orders.values() if (row := known.shown)]
    if status != "all":
        rows = [r for r in rows if (r.get("status") in CLOSED) == (status == "closed")]
    symbols = {name for name in query.get("symbols", "").split(",") if name}
    if symbols:
        rows = [row for row in rows if row.get("symbol") in symbols]
    if "side" in query:
        rows = [row for row in rows if row.get("side") == query["side"]]
    after, until = _bound(query, "after"), _bound(query, "until")
    rows = [
        row
        for row in rows
        if (after is None or _submitted(row) > after)
        and (until is None or _submitted(row) < until)
    ]
    rows.sort(key=_submitted, reverse=_is_descending(query))
    rows = _between_orders(rows, query)
    if _is_true(query.get("nested")):
        # A leg stands under its parent where that is listed, too.
        ids = {str(row["id"]) for row in rows}
        rows = [r for r in rows if account.parents.get(str(r["id"])) not in ids]
        rows = [nested(account, row) for row in rows]
    else:
        rows = [{**row, "legs": None} for row in rows]
    return rows[: _number(query, "limit", 50, 500)]


def _between_orders(rows: list[Row], query: Query) -> list[Row]:
    ids = [str(row["id"]) for row in rows]
    is_descending = _is_descending(query)
    for name, is_later in (("after_order_id", True), ("before_order_id", False)):
        if name in query:
            if query[name] not in ids:
                raise BadRequestError(f"{name} is no order of this list")
            place = ids.index(query[name])
            tail = is_later != is_descending
            rows = rows[place + 1 :] if tail else rows[:place]
            ids = [str(row["id"]) for row in rows]
    return rows


def order(account: Account, order_id: str, query: Query) -> Row | None:
    known = account.orders.get(order_id)
    row = known.shown if known else None
    if row is None:
        return None
    return nested(account, row) if _is_true(query.get("nested")) else row


def nested(account: Account, row: Row) -> Row:
    """The order with its legs as they are now."""
    if not row.get("legs"):
        return row
    legs = []
    for leg in row["legs"]:
        known = account.orders.get(str(leg.get("id")))
        legs.append((known.shown if known else None) or leg)
    return {**row, "legs": legs}


def positions(account: Account, market: Market) -> list[Row]:
    """Rows of what is held; flat symbols have none."""
    found = []
    for known in account.positions.values():
        held = known.shown
        if held is not None and held.qty:
            found.append(held.row or _position(held, market))
    return sorted(found, key=lambda row: str(row["symbol"]))


def _position(held: Position, market: Market) -> Row:
    kind = wire.asset_class(held.symbol)
    price = _price(market.get(FAMILIES[kind], {}).get(held.symbol, {}))
    price = held.entry_price if price is None else price
    multiplier = 100 if kind == "us_option" else 1
    value = held.qty * price * multiplier
    cost = held.qty * held.entry_price * multiplier
    gain = value - cost
    share = gain / abs(cost) if cost else Decimal(0)
    return {
        "asset_id": wire.stable_uuid("asset", held.symbol),
        "symbol": held.symbol,
        "exchange": {"us_equity": "NASDAQ", "crypto": "CRYPTO"}.get(kind, ""),
        "asset_class": kind,
        "asset_marginable": kind == "us_equity",
        "qty": wire.plain(held.qty),
        "qty_available": wire.plain(held.qty),
        "avg_entry_price": wire.plain(held.entry_price),
        "side": "long" if held.qty > 0 else "short",
        "market_value": wire.plain(value),
        "cost_basis": wire.plain(cost),
        "unrealized_pl": wire.plain(gain),
        "unrealized_plpc": wire.plain(share),
        "unrealized_intraday_pl": wire.plain(gain),
        "unrealized_intraday_plpc": wire.plain(share),
        "current_price": wire.plain(price),
        "lastday_price": wire.plain(held.entry_price),
        "change_today": "0",
    }


def _price(seen: dict[str, Row]) -> Decimal | None:
    trade = wire.decimal(seen.get("latestTrade", {}).get("p"))
    if trade:
        return trade
    quote = seen.get("latestQuote", {})
    bid, ask = wire.decimal(quote.get("bp")), wire.decimal(quote.get("ap"))
    return (bid + ask) / 2 if bid and ask else None


def snapshots(
    market: Market, family: str, query: Query
) -> tuple[dict[str, Row], str | None]:
    """Latest trade, quote and bars by symbol, and the token of the next page.

    A symbol of which nothing is known is left out.
    """
    wanted = sorted({name for name in query.get("symbols", "").split(",") if name})
    if not wanted:
        raise BadRequestError("symbols is required")
    known = market.get(family, {})
    listed = [symbol for symbol in wanted if symbol in known]
    token = query.get("page_token")
    if token:
        listed = [symbol for symbol in listed if symbol > token]
    size = _number(query, "limit", 100, 1000)
    page = listed[:size]
    left = listed[len(page) :]
    found = {
        symbol: {
            kind: {name: v for name, v in row.items() if name not in ("T", "S")}
            for kind, row in known[symbol].items()
        }
        for symbol in page
    }
    return found, page[-1] if left and page else None


def _submitted(row: Row) -> datetime:
    return (
        wire.instant(row.get("submitted_at"))
        or wire.instant(row.get("created_at"))
        or EARLIEST
    )


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() in ("true", "1")


def _is_descending(query: Query) -> bool:
    direction = query.get("direction", "desc")
    if direction not in ("asc", "desc"):
        raise BadRequestError("direction must be asc or desc")
    return direction == "desc"


def _number(query: Query, name: str, default: int | None, most: int) -> int | None:
    if name not in query:
        return default
    try:
        number = int(query[name])
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise BadRequestError(f"{name} must be between 1 and {most}")
    return number


def _bound(query: Query, name: str) -> datetime | None:
    if name not in query:
        return None
    found = wire.bound(query[name])
    if found is None:
        raise BadRequestError(f"{name} is no date and no instant: {query[name]}")
    return found


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise BadRequestError(f"date is invalid: {value}") from None
