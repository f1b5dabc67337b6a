"""REST, asked by alpaca-py's own clients over real sockets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical import (
    CryptoHistoricalDataClient,
    OptionHistoricalDataClient,
    StockHistoricalDataClient,
)
from alpaca.data.requests import (
    CryptoSnapshotRequest,
    OptionSnapshotRequest,
    StockSnapshotRequest,
)
from alpaca.trading.requests import GetOrdersRequest

from standin import Alpaca
from tests.support.clients import raw, rest
from tests.support.wire import activity, fill_activity, frame, order, quote, trade

T0 = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)


def get(alpaca: Alpaca, path: str, **query: Any) -> Any:
    return rest(alpaca).get(path, query)


def fills(alpaca: Alpaca, **query: Any) -> list[str]:
    """Order ids of the FILL rows."""
    return [row["order_id"] for row in get(alpaca, "/account/activities", **query)]


def three_fills(alpaca: Alpaca) -> None:
    for number, minutes in enumerate((0, 1, 60 * 24), start=1):
        alpaca.set_clock(T0 + timedelta(minutes=minutes))
        at = T0 + timedelta(minutes=minutes)
        alpaca.execute("main", "SPY", "buy", 1, 100, order_id=f"o{number}", at=at)


def test_a_fill_makes_an_activity_an_order_and_a_position(alpaca: Alpaca) -> None:
    alpaca.push("main", frame())
    (row,) = get(alpaca, "/account/activities")
    assert row == {**fill_activity(), "transaction_time": "2026-03-02T15:30:00.123456Z"}
    assert get(alpaca, "/orders/order-1")["filled_qty"] == "10"
    (position,) = get(alpaca, "/positions")
    assert (position["qty"], position["side"]) == ("10", "long")
    assert get(alpaca, "/positions/SPY") == position


def test_positions_follow_the_fills(alpaca: Alpaca) -> None:
    option = "SPY260417C00500000"
    alpaca.execute("main", "SPY", "buy", 10, 100)
    alpaca.execute("main", "SPY", "buy", 10, 110)
    alpaca.execute("main", "SPY", "sell", 5, 120)
    alpaca.execute("main", "IBM", "sell", "2.5", 50)
    alpaca.execute("main", option, "buy", 1, 2)
    alpaca.execute("main", "DIA", "buy", 10, 40)
    alpaca.execute("main", "DIA", "sell", 15, 42)
    alpaca.execute("main", "QQQ", "buy", 1, 2)
    alpaca.execute("main", "QQQ", "sell", 1, 3)
    alpaca.market("iex", [trade("SPY", 130.0)])
    alpaca.market("option", [quote(option, 3, 4)])
    held = {row["symbol"]: row for row in get(alpaca, "/positions")}
    assert {s: (r["qty"], r["avg_entry_price"]) for s, r in held.items()} == {
        "SPY": ("15", "105"),
        "IBM": ("-2.5", "50"),
        "DIA": ("-5", "42"),
        option: ("1", "2"),
    }
    assert held["IBM"]["side"] == "short"
    assert held["SPY"]["current_price"] == "130"
    assert (held[option]["current_price"], held[option]["unrealized_pl"]) == (
        "3.5",
        "150",
    )


def test_told_again_or_late_an_event_changes_nothing(alpaca: Alpaca) -> None:
    new = frame("new", of=order(filled_qty="0", status="new"), execution_id="n")
    part = frame(
        "partial_fill",
        of=order(qty="30", filled_qty="10", status="partially_filled"),
        timestamp="2026-03-02T15:30:02Z",
        execution_id="e1",
    )
    whole = frame(
        of=order(qty="30", filled_qty="30"),
        timestamp="2026-03-02T15:30:01Z",
        qty="20",
        position_qty="30",
        execution_id="e2",
    )
    for message in (whole, part, whole, new):
        alpaca.push("main", message)
    assert get(alpaca, "/orders/order-1")["status"] == "filled"
    assert get(alpaca, "/positions/SPY")["qty"] == "30"
    rows = get(alpaca, "/account/activities")
    assert sorted((row["cum_qty"], row["leaves_qty"]) for row in rows) == [
        ("10", "20"),
        ("30", "0"),
    ]


def test_a_fill_without_an_id_is_no_second_one(alpaca: Alpaca) -> None:
    alpaca.push("main", frame())
    alpaca.push("main", frame(execution_id=""))
    alpaca.push("main", frame(of=order("other"), execution_id="", position_qty="20"))
    assert sorted(fills(alpaca)) == ["order-1", "other"]


def test_busts_and_corrections_leave_the_rows_and_move_the_position(
    alpaca: Alpaca,
) -> None:
    alpaca.push("main", frame())
    before = get(alpaca, "/account/activities")
    first = frame()["data"]["execution_id"]
    correct = frame(
        "trade_correct",
        of=order(filled_qty="8"),
        qty="8",
        position_qty=None,
        execution_id="corrected",
        previous_execution_id=first,
    )
    alpaca.push("main", correct)
    assert get(alpaca, "/positions/SPY")["qty"] == "8"
    bust = frame("trade_bust", of=order(filled_qty="0"), qty="-8", position_qty="0")
    bust["data"] |= {"execution_id": "bust", "previous_execution_id": "corrected"}
    alpaca.push("main", bust)
    assert get(alpaca, "/positions") == []
    assert get(alpaca, "/account/activities") == before
    assert get(alpaca, "/orders/order-1")["filled_qty"] == "0"


def test_each_leg_of_a_multi_leg_fill_is_a_row(alpaca: Alpaca, shared: Any) -> None:
    spread = json.loads((shared / "alpaca/examples/05_fill_mleg.json").read_text())
    alpaca.push("main", spread)
    rows = get(alpaca, "/account/activities")
    assert {row["id"].split("::")[1] for row in rows} == {
        leg["execution_id"] for leg in spread["data"]["legs"]
    }
    assert {(row["side"], row["qty"], row["cum_qty"]) for row in rows} == {
        ("sell", "1", "1"),
        ("buy", "1", "1"),
    }
    assert {p["symbol"]: p["qty"] for p in get(alpaca, "/positions")} == spread["data"][
        "position_qtys"
    ]


def test_activities_are_filtered_by_time(alpaca: Alpaca) -> None:
    three_fills(alpaca)
    assert fills(alpaca) == ["o3", "o2", "o1"]
    assert fills(alpaca, direction="asc") == ["o1", "o2", "o3"]
    assert fills(alpaca, after=T0.isoformat()) == ["o3", "o2"]
    assert fills(alpaca, until="2026-03-02T15:31:00Z") == ["o1"]
    assert fills(alpaca, date="2026-03-02") == ["o2", "o1"]
    assert fills(alpaca, after="2026-03-03") == ["o3"]
    assert fills(alpaca, order_id="o2") == ["o2"]


def test_activities_are_filtered_by_type(alpaca: Alpaca) -> None:
    three_fills(alpaca)
    alpaca.activity("main", activity("FEE", date="2026-03-02", net_amount="-0.01"))
    for path, query, expected in (
        ("/account/activities/FILL", {}, {"FILL"}),
        ("/account/activities/FEE", {}, {"FEE"}),
        ("/account/activities", {"activity_types": "FEE,FILL"}, {"FEE", "FILL"}),
        ("/account/activities", {"activity_types": "DIV"}, set()),
        ("/account/activities", {"category": "trade_activity"}, {"FILL"}),
        ("/account/activities", {"category": "non_trade_activity"}, {"FEE"}),
    ):
        rows = get(alpaca, path, **query)
        assert {row["activity_type"] for row in rows} == expected


def test_activities_come_in_pages(alpaca: Alpaca) -> None:
    at = "2026-03-02T15:30:00.123456Z"
    for number in range(230):
        alpaca.execute("main", "SPY", "buy", 1, 1, order_id=f"o{number}", at=at)
    found: list[str] = []
    token: dict[str, str] = {}
    for _ in range(4):
        page = get(alpaca, "/account/activities", page_size=100, **token)
        if not page:
            break
        found.extend(row["order_id"] for row in page)
        token = {"page_token": page[-1]["id"]}
    assert sorted(found) == sorted(f"o{number}" for number in range(230)) and not page
    assert len(get(alpaca, "/account/activities")) == 100
    assert len(get(alpaca, "/account/activities", date="2026-03-02")) == 230


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": 101},
        {"direction": "up"},
        {"date": "2026-03-02", "after": "2026-03-01"},
        {"after": "yesterday"},
        {"category": "trades"},
    ],
)
def test_wrong_parameters_are_unprocessable(
    alpaca: Alpaca, query: dict[str, Any]
) -> None:
    with pytest.raises(APIError) as refusal:
        get(alpaca, "/account/activities", **query)
    assert refusal.value.status_code == 422


def test_activities_may_be_late_hidden_shuffled_and_different(alpaca: Alpaca) -> None:
    faults = alpaca.faults.rest
    faults.activities_lag = 0.3
    late = alpaca.execute("main", "SPY", "buy", 5, 1, order_id="late")
    assert get(alpaca, "/orders/late")["status"] == "filled" and not fills(alpaca)
    alpaca.wait_for(lambda: fills(alpaca) == ["late"])
    faults.activities_lag = 0

    faults.other_execution_ids, faults.quantities = True, {"x": "4"}
    alpaca.execute("main", "SPY", "buy", 5, 1, order_id="other", execution_id="x")
    other, same = get(alpaca, "/account/activities")
    assert same["id"].endswith(late["data"]["execution_id"])
    assert not other["id"].endswith("::x")
    assert (other["qty"], other["cum_qty"]) == ("4", "5")

    faults.hide = ["late"]
    assert fills(alpaca) == ["other"]
    day = datetime.strptime(same["id"][:8], "%Y%m%d").date()  # noqa: DTZ007
    assert "late" in fills(alpaca, date=str(day))
    faults.hide, faults.shuffle_rows = [], True
    assert sorted(fills(alpaca)) == ["late", "other"]


def test_orders_and_positions_lag_behind_the_fills(alpaca: Alpaca) -> None:
    alpaca.execute("main", "SPY", "buy", 1, 1, order_id="o", order_qty=2)
    alpaca.faults.rest.orders_lag = alpaca.faults.rest.positions_lag = 0.3
    alpaca.execute("main", "SPY", "buy", 1, 1, order_id="o")
    assert len(fills(alpaca)) == 2
    assert get(alpaca, "/orders/o")["filled_qty"] == "1"
    assert get(alpaca, "/positions/SPY")["qty"] == "1"
    alpaca.wait_for(lambda: get(alpaca, "/orders/o")["filled_qty"] == "2")
    alpaca.wait_for(lambda: get(alpaca, "/positions/SPY")["qty"] == "2")


def test_what_is_hidden_from_rest_stays_part_of_what_happened(alpaca: Alpaca) -> None:
    alpaca.execute("main", "SPY", "buy", 1, 1, order_id="o", order_qty=2, on_rest=False)
    assert not get(alpaca, "/positions") and not get(alpaca, "/orders", status="all")
    last = alpaca.execute("main", "SPY", "buy", 1, 1, order_id="o")
    assert last["data"]["position_qty"] == "2"
    assert [row["cum_qty"] for row in get(alpaca, "/account/activities")] == ["2"]
    assert get(alpaca, "/positions/SPY")["qty"] == "2"


def test_a_row_that_is_no_trade_moves_the_position_until_it_is_canceled(
    alpaca: Alpaca,
) -> None:
    option = "AAPL260417C00190000"
    alpaca.execute("main", option, "buy", 2, 1)
    row = activity("OPEXP", symbol=option, qty="-2")
    alpaca.activity("main", row)
    assert get(alpaca, "/positions") == []
    alpaca.activity("main", {**row, "status": "canceled"})
    assert get(alpaca, "/positions")[0]["qty"] == "2"
    (only,) = get(alpaca, "/account/activities/OPEXP")
    assert only["status"] == "canceled"


def test_a_recorded_fill_row_replaces_the_frames_own(alpaca: Alpaca) -> None:
    alpaca.push("main", frame())
    recorded = fill_activity(id="20260302103000123::another", order_status="recorded")
    alpaca.activity("main", recorded)
    assert get(alpaca, "/account/activities") == [recorded]


def test_orders_are_filtered(alpaca: Alpaca) -> None:
    for minute, symbol in enumerate(("SPY", "QQQ", "IBM")):
        alpaca.set_clock(T0 + timedelta(minutes=minute))
        side = "sell" if symbol == "IBM" else "buy"
        alpaca.execute(
            "main", symbol, side, 1, 1, order_id=symbol, final=symbol != "QQQ"
        )

    def ids(**query: Any) -> list[str]:
        return [row["id"] for row in get(alpaca, "/orders", **query)]

    assert ids() == ["QQQ"]
    assert ids(status="closed") == ["IBM", "SPY"]
    assert ids(status="all", direction="asc") == ["SPY", "QQQ", "IBM"]
    assert ids(status="all", limit=2) == ["IBM", "QQQ"]
    assert ids(status="all", symbols="SPY,IBM") == ["IBM", "SPY"]
    assert ids(status="all", side="sell") == ["IBM"]
    noon = alpaca.execute("main", "A", "buy", 1, 1, order_id="x")["data"]["order"]
    assert "x" not in ids(status="all", after=noon["submitted_at"])
    assert ids(status="all", after=T0 + timedelta(minutes=1.5))[-1] == "IBM"
    assert ids(status="all", until="2026-03-02T15:30:30Z") == ["SPY"]
    assert ids(status="all", after_order_id="QQQ", direction="asc")[0] == "IBM"
    request = GetOrdersRequest(symbols=["SPY"], status="all", nested=True)
    assert [o["id"] for o in rest(alpaca).get_orders(request)] == ["SPY"]
    with pytest.raises(APIError):
        ids(limit=501)


def test_legs_stand_under_their_order_when_nested(alpaca: Alpaca) -> None:
    leg = order("leg", status="held", filled_qty="0")
    alpaca.push("main", frame("new", of=order("parent", status="new", legs=[leg])))
    active = {**leg, "status": "new", "updated_at": "2026-03-02T15:31:00Z"}
    alpaca.push("main", frame("new", of=active))
    (parent,) = get(alpaca, "/orders", nested=True)
    assert parent["legs"] == [active]
    flat = get(alpaca, "/orders", nested=False)
    assert {row["id"]: row["legs"] for row in flat} == {"parent": None, "leg": None}


def test_rows_of_rest_alone(alpaca: Alpaca) -> None:
    alpaca.order("main", order("unseen", status="new", filled_qty="0"))
    alpaca.position("main", {"symbol": "SPY", "qty": "7", "avg_entry_price": "3"})
    assert [row["id"] for row in get(alpaca, "/orders")] == ["unseen"]
    assert get(alpaca, "/positions") == [
        {"symbol": "SPY", "qty": "7", "avg_entry_price": "3"}
    ]


def test_accounts_do_not_see_each_other(alpaca: Alpaca) -> None:
    alpaca.execute("other", "SPY", "buy", 1, 1)
    assert get(alpaca, "/positions") == []
    assert len(rest(alpaca, "k2", "s2").get("/positions")) == 1
    with pytest.raises(APIError) as refusal:
        rest(alpaca, "key", "wrong").get("/positions")
    assert refusal.value.status_code == 401


def test_the_clock_is_the_stand_ins(alpaca: Alpaca) -> None:
    alpaca.set_clock(T0, speed=0)
    told = get(alpaca, "/clock")
    assert told == {
        "timestamp": "2026-03-02T10:30:00-05:00",
        "is_open": True,
        "next_open": "2026-03-03T09:30:00-05:00",
        "next_close": "2026-03-02T16:00:00-05:00",
    }
    alpaca.faults.clock_skew = -300
    assert get(alpaca, "/clock")["timestamp"] == "2026-03-02T10:25:00-05:00"
    alpaca.set_clock(None)
    skewed = datetime.fromisoformat(get(alpaca, "/clock")["timestamp"])
    assert abs(datetime.now(UTC) - skewed - timedelta(minutes=5)).seconds < 5
    assert get(alpaca, "/account")["status"] == "ACTIVE"


def test_snapshots_tell_the_latest_market_data(alpaca: Alpaca) -> None:
    options = ["SPY260417C00500000", "SPY260417P00500000"]
    alpaca.market("iex", [quote("SPY", 1.0, 2.0), quote("SPY", 3.0, 4.0), trade("SPY")])
    alpaca.market("option", [quote(symbol) for symbol in options])
    alpaca.market("crypto", [trade("BTC/USD", 64321.1)])
    keys = {"raw_data": True, "url_override": alpaca.url}
    stocks = StockHistoricalDataClient("key", "secret", **keys)
    found = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="SPY"))
    assert found["SPY"]["latestQuote"]["bp"] == 3.0
    assert found["SPY"]["latestTrade"]["t"] == "2026-03-02T15:30:00.123456789Z"
    client = OptionHistoricalDataClient("key", "secret", **keys)
    request = OptionSnapshotRequest(symbol_or_symbols=options)
    assert sorted(client.get_option_snapshot(request)) == options
    coins = CryptoHistoricalDataClient("key", "secret", **keys)
    bitcoin = CryptoSnapshotRequest(symbol_or_symbols="BTC/USD")
    assert coins.get_crypto_snapshot(bitcoin)["BTC/USD"]["latestTrade"]["p"] == 64321.1


def test_option_snapshots_come_in_pages(alpaca: Alpaca) -> None:
    symbols = [f"SPY2604{day}C00500000" for day in range(10, 15)]
    alpaca.market("option", [quote(symbol) for symbol in symbols])
    found, token = [], None
    for _ in range(3):
        query = {"symbols": ",".join([*symbols, "NONE260417C00500000"]), "limit": "2"}
        page = raw(alpaca, "/v1beta1/options/snapshots", **query, page_token=token)
        found.extend(page.json()["snapshots"])
        token = page.json()["next_page_token"]
    assert found == symbols and token is None
