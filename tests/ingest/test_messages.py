"""Each message to its facts; each fault to a reason, and none stops the others."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.facts import (
    Activity,
    BrokerPosition,
    Execution,
    Fill,
    Mark,
    OrderState,
    Recommendation,
)
from ingest.messages import CHANNELS
from ingest.recording import Entry, parse_line
from tests.support import wire


def parse(channel: str, msg: Any, **envelope: Any) -> Entry:
    return parse_line(wire.line(channel, msg, **envelope).encode())


def only(entry: Entry, kind: type) -> Any:
    (fact,) = (fact for fact in entry.facts if isinstance(fact, kind))
    return fact


def test_a_fill_is_the_frames_own_quantity_and_price() -> None:
    partial = wire.order(filled_qty="869", filled_avg_price="31.59", qty="1000")
    entry = parse("trade_updates", wire.frame("partial_fill", of=partial, qty="100"))
    fill = only(entry, Fill)
    assert (fill.qty, fill.price, fill.cum_qty) == (100, 100, 869)
    assert fill.event_id == "exec:c1aa3140-5813-471e-8de6-4243ff0e8668"
    assert fill.executed_at == datetime(2026, 3, 2, 15, 30, 0, 123456, tzinfo=UTC)
    assert (fill.side, fill.symbol, fill.account_name) == ("buy", "SPY", "main")


def test_the_streams_and_rests_copy_have_one_id() -> None:
    streamed = only(parse("trade_updates", wire.frame()), Fill)
    listed = only(parse("activities", wire.fill_activity()), Fill)
    assert streamed.event_id == listed.event_id
    assert streamed.cum_qty == listed.cum_qty


def test_ids_are_compared_in_one_spelling() -> None:
    shouted = wire.frame(execution_id="C1AA3140-5813-471E-8DE6-4243FF0E8668")
    assert only(parse("trade_updates", shouted), Fill).event_id == (
        only(parse("trade_updates", wire.frame()), Fill).event_id
    )


def test_without_an_execution_id_the_order_and_its_total_are_the_id() -> None:
    for missing in ("", None):
        fill = only(parse("trade_updates", wire.frame(execution_id=missing)), Fill)
        assert fill.event_id == "oc:order-1:10:10:100"


def test_what_the_brokers_own_client_would_drop_is_read() -> None:
    for odd in (
        wire.frame(of=wire.order(status="brand_new_status")),
        wire.frame(of=wire.order(submitted_at=None)),
        wire.frame(of=wire.order(updated_at=None, created_at=None)),
        wire.frame(unheard_of={"deep": [1, 2]}),
    ):
        assert only(parse("trade_updates", odd), Fill)


def test_each_leg_of_a_multi_leg_fill_is_a_fill() -> None:
    put = "AAPL260417P00180000"
    legs = [
        wire.order("leg-1", symbol=put, side="sell", filled_qty="1"),
        wire.order("leg-2", symbol="AAPL260417P00175000", filled_qty="1"),
    ]
    parent = wire.order("parent", symbol="", side="buy", order_class="mleg", legs=legs)
    rows = [
        {"execution_id": "e-1", "order_id": "leg-1", "symbol": put, "qty": "1"},
        {
            "execution_id": "e-2",
            "order_id": "leg-2",
            "symbol": "AAPL260417P00175000",
            "qty": "1",
            "timestamp": "2026-03-02T15:30:01Z",
        },
    ]
    for row in rows:
        row["price"] = "1.6"
    update = wire.frame(of=parent, execution_id=None, legs=rows)
    entry = parse("trade_updates", update)
    fills = [fact for fact in entry.facts if isinstance(fact, Fill)]
    assert [(f.order_id, f.side, f.qty) for f in fills] == [
        ("leg-1", "sell", 1),
        ("leg-2", "buy", 1),
    ]
    orders = [fact for fact in entry.facts if isinstance(fact, OrderState)]
    assert [(o.order_id, o.parent_order_id) for o in orders] == [
        ("parent", None),
        ("leg-1", "parent"),
        ("leg-2", "parent"),
    ]


@pytest.mark.parametrize(
    ("event", "kind"), [("trade_bust", "bust"), ("trade_correct", "correct")]
)
def test_busts_and_corrections_name_what_they_supersede(event: str, kind: str) -> None:
    update = wire.frame(
        event, qty="-10", previous_execution_id="OLD", execution_id="new"
    )
    fill = only(parse("trade_updates", update), Fill)
    assert (fill.kind, fill.supersedes, fill.qty) == (kind, "exec:old", 10)


def test_an_execution_id_does_not_make_an_event_a_fill() -> None:
    entry = parse("trade_updates", wire.frame("new"))
    assert not [fact for fact in entry.facts if isinstance(fact, Fill)]


def test_an_activity_keeps_its_versions_apart() -> None:
    first = only(parse("activities", wire.activity("OPEXP")), Activity)
    second = only(
        parse("activities", wire.activity("OPEXP", status="canceled")), Activity
    )
    assert first.event_id.startswith("nta:OPEXP:")
    assert second.event_id == f"{first.event_id}:canceled"
    assert first.activity_date == date(2026, 4, 17)
    assert only(
        parse("activities", wire.activity("DIV", status=None)), Activity
    ).status == ("executed")


def test_a_quote_is_its_mid_and_a_trade_its_price() -> None:
    mark = only(parse("stock_data", wire.quote(bid=167.44, ask=167.45)), Mark)
    assert (mark.price, mark.bid, mark.ask, mark.is_usable) == (
        167.445,
        167.44,
        167.45,
        True,
    )
    assert mark.observed_at.microsecond == 123456
    mark = only(parse("crypto_data", wire.trade("BTC/USD", 64321.1)), Mark)
    assert (mark.price, mark.bid, mark.is_usable) == (64321.1, None, True)


@pytest.mark.parametrize(
    "observation",
    [
        wire.quote(bid=0, ask=0.01),
        wire.quote(bid=None, ask=0.01),
        wire.quote(bid=1.0, ask=0),
        wire.quote(bid=1.02, ask=1.01),
        wire.quote(bid=1e300, ask=1e300),
        wire.trade(price=0),
        wire.trade(price=-1.5),
        wire.trade(price=None),
    ],
)
def test_what_gives_no_price_is_kept_as_unusable(observation: Any) -> None:
    mark = only(parse("option_data", observation), Mark)
    assert (mark.price, mark.is_usable) == (0.0, False)


def test_equal_mids_are_equal_doubles() -> None:
    prices = {
        only(parse("stock_data", wire.quote(bid=bid, ask=ask)), Mark).price
        for bid, ask in [(10.00, 10.01), (9.995, 10.015), (10.005, 10.005)]
    }
    assert prices == {10.005}


def test_snapshots_keep_every_digit() -> None:
    text = json.dumps(wire.recommendation(features_snapshot=None)).replace(
        '"features_snapshot": null',
        '"features_snapshot": {"x": 0.12345678901234567890, "é": [true, null, 1e3]}',
    )
    raw = f'{{"at": "{wire.AT}", "from": "dispatch", "msg": {text}}}'.encode()
    row = only(parse_line(raw), Recommendation)
    assert '"x":0.12345678901234567890' in row.features_snapshot
    assert json.loads(row.features_snapshot)["é"] == [True, None, 1000]


def test_dispatch_rows_may_leave_out_what_is_not_known_yet() -> None:
    row = only(parse("dispatch", wire.execution(alpaca_order_id=None)), Execution)
    assert row.alpaca_order_id is None
    row = only(
        parse("dispatch", wire.recommendation(features_snapshot=None)), Recommendation
    )
    assert row.features_snapshot is None


@pytest.mark.parametrize(
    ("qty", "side"),
    [("100", "long"), ("-50", "short"), ("0", "long"), ("0.000000001", None)],
)
def test_a_position_keeps_the_brokers_sign(qty: str, side: str | None) -> None:
    position = only(
        parse("positions", wire.position(qty=qty, side=side)), BrokerPosition
    )
    assert position.qty == Decimal(qty)
    assert (position.symbol, position.avg_entry_price) == ("SPY", 100)


def test_control_frames_state_no_fact() -> None:
    for channel, msg in [
        ("trade_updates", {"stream": "listening", "data": {"streams": []}}),
        ("stock_data", {"T": "success", "msg": "connected"}),
    ]:
        entry = parse(channel, msg)
        assert entry.facts == []
        assert entry.problem is None


@pytest.mark.parametrize(
    ("channel", "msg", "code"),
    [
        ("telegraph", {}, "unknown_channel"),
        ("trade_updates", [], "bad_shape"),
        ("trade_updates", {"stream": "trade_updates", "data": None}, "bad_shape"),
        ("trade_updates", wire.frame("teleported"), "unknown_event"),
        ("trade_updates", wire.frame(price=None), "missing_field"),
        ("trade_updates", wire.frame(qty="0"), "bad_number"),
        ("trade_updates", wire.frame(qty="NaN"), "bad_number"),
        ("trade_updates", wire.frame(of=wire.order(side="borrow")), "unknown_side"),
        ("trade_updates", wire.frame(of=wire.order(side=["buy"])), "bad_text"),
        ("activities", wire.fill_activity(side=["buy"]), "unexpected_shape"),
        ("trade_updates", wire.frame("trade_bust"), "missing_field"),
        ("trade_updates", wire.frame(legs=[{"order_id": "x"}]), "bad_shape"),
        ("activities", wire.activity("FEE", date="yesterday"), "bad_date"),
        ("activities", {"activity_type": "FEE"}, "missing_field"),
        ("stock_data", {"T": "b", "S": "SPY"}, "not_a_mark"),
        ("stock_data", wire.quote(bid="99"), "bad_number"),
        ("stock_data", wire.quote(symbol=""), "missing_field"),
        ("stock_data", wire.quote(t="0001-01-01T00:00:00Z"), "bad_instant"),
        ("stock_data", wire.quote(t="9999-12-31T00:00:00Z"), "bad_instant"),
        ("dispatch", wire.execution(strategy_type="yolo"), "unknown_strategy_type"),
        ("dispatch", wire.execution(intent="hope"), "unknown_intent"),
        ("dispatch", wire.execution(execution_uuid="7"), "bad_text"),
        (
            "dispatch",
            {"table": "users", "row": wire.execution()["row"]},
            "unknown_table",
        ),
        ("dispatch", {"table": "dispatch_executions"}, "bad_shape"),
        ("positions", wire.position(qty="10", side="short"), "contradicts_itself"),
        ("positions", wire.position(qty=""), "missing_field"),
        ("positions", wire.position(symbol=""), "missing_field"),
    ],
)
def test_what_cannot_be_read_says_why(channel: str, msg: Any, code: str) -> None:
    entry = parse(channel, msg)
    assert entry.facts == []
    assert entry.problem is not None
    assert entry.problem.code == code


def test_a_trading_message_without_account_says_so() -> None:
    entry = parse("trade_updates", wire.frame(), account=None)
    assert entry.problem is not None
    assert "account" in entry.problem.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)
TEMPLATES = [
    ("trade_updates", wire.frame()),
    ("activities", wire.fill_activity()),
    ("activities", wire.activity("OPEXP")),
    ("orders", wire.order(legs=[wire.order("leg")])),
    ("stock_data", wire.quote()),
    ("positions", wire.position()),
    ("dispatch", wire.execution()),
    ("dispatch", wire.recommendation()),
]


@given(raw=st.binary(max_size=200))
def test_no_bytes_can_stop_the_parser(raw: bytes) -> None:
    entry = parse_line(raw)
    assert entry.facts or entry.problem
    entry.line.encode()


@given(template=st.sampled_from(TEMPLATES), data=st.data())
def test_no_field_can_stop_the_parser(
    template: tuple[str, Any], data: st.DataObject
) -> None:
    """Any JSON in any field: a fact, or a problem with a reason."""
    channel, message = template[0], json.loads(json.dumps(template[1]))
    inner = message
    while True:
        key = data.draw(st.sampled_from(sorted(inner)))
        if isinstance(inner[key], dict) and inner[key] and data.draw(st.booleans()):
            inner = inner[key]
            continue
        inner[key] = data.draw(JSON)
        break
    entry = parse(channel, message)
    assert entry.problem is None or entry.problem.reason


def test_every_channel_is_known() -> None:
    assert {
        "trade_updates", "stock_data", "option_data", "crypto_data", "activities",
        "orders", "positions", "dispatch",
    } == CHANNELS  # fmt: skip
