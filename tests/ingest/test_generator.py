"""The sample of the generator: reproducible, consistent, and complete."""

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from ingest.generator import SAMPLE, generate
from tests.support.paths import SAMPLE as BUNDLED

SAMPLE_SHA256 = "fd18437f93ea88ea6ed267bffb27642992e2180237b9d461adcbb2804705f683"

CHANNELS = {
    "trade_updates",
    "stock_data",
    "option_data",
    "crypto_data",
    "activities",
    "orders",
    "dispatch",
}

FILLS = ("fill", "partial_fill")

DUST = Decimal("1e-8")

Line = dict[str, Any]


@cache
def sample() -> tuple[Line, ...]:
    return tuple(json.loads(line) for line in generate(SAMPLE))


def messages(channel: str) -> Iterator[Line]:
    return (line["msg"] for line in sample() if line["from"] == channel)


def frames(*events: str) -> Iterator[Line]:
    """Trading frames without their redeliveries, `account` put in."""
    seen = set()
    for line in sample():
        if line["from"] != "trade_updates":
            continue
        data = line["msg"]["data"]
        key = (data["event"], data.get("execution_id") or data.get("event_id"))
        if key not in seen and (not events or data["event"] in events):
            seen.add(key)
            yield data | {"account": line["account"]}


def activities(kind: str) -> list[Line]:
    return [row for row in messages("activities") if row["activity_type"] == kind]


def executions(table: str = "dispatch_executions") -> list[Line]:
    return [m["row"] for m in messages("dispatch") if m["table"] == table]


def by_order() -> dict[str, list[Line]]:
    orders = defaultdict(list)
    for data in frames(*FILLS):
        orders[data["order"]["id"]].append(data)
    return orders


def signed(data: Line) -> Decimal:
    return Decimal(data["qty"]) * (1 if data["order"]["side"] == "buy" else -1)


def test_equal_plans_give_equal_bytes_and_another_seed_gives_others() -> None:
    plan = replace(SAMPLE, days=SAMPLE.days[:2])
    first = b"".join(generate(plan))
    assert first == b"".join(generate(plan))
    assert first != b"".join(generate(plan.with_seed(plan.seed + 1)))


def test_the_sample_is_what_it_was() -> None:
    digest = hashlib.sha256(b"".join(generate(SAMPLE))).hexdigest()
    assert digest == SAMPLE_SHA256, (
        "The generator's bytes have changed. If that was meant: update this digest and"
        " write sample/session.jsonl.gz again, see sample/README.md."
    )


def test_the_bundled_file_is_the_sample_plan() -> None:
    with gzip.open(BUNDLED) as file:
        assert file.read() == b"".join(generate(SAMPLE))
    assert BUNDLED.stat().st_size < 700_000


def test_lines_are_in_order_of_reception_and_of_known_channels() -> None:
    lines = list(generate(SAMPLE))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    instants = [line["at"] for line in sample()]
    assert instants == sorted(instants)
    assert {line["from"] for line in sample()} == CHANNELS
    assert all(set(line) <= {"at", "from", "account", "msg"} for line in sample())


def _is_flip(orders: list[Line]) -> bool:
    before = Decimal(orders[0]["position_qty"]) - signed(orders[0])
    return before * Decimal(orders[-1]["position_qty"]) < 0


def _classes(kind: str, event: str = "fill") -> list[Line]:
    return [f for f in frames(event) if f["order"]["type"] == kind]


def _brackets(kind: str, event: str) -> list[Line]:
    return [
        frame
        for frame in _classes(kind, event)
        if frame["order"]["order_class"] == "bracket"
    ]


def _redelivered() -> int:
    lines = Counter(json.dumps(m, sort_keys=True) for m in messages("trade_updates"))
    return sum(count - 1 for count in lines.values())


def _inverted(by_dollars: bool) -> int:
    return sum(
        later["timestamp"][:26] < earlier["timestamp"][:26]
        for order in by_order().values()
        for earlier, later in pairwise(order)
        if (later["order"]["notional"] is not None) == by_dollars
    )


def _one_instant() -> int:
    return sum(
        later["timestamp"][:26] == earlier["timestamp"][:26]
        for order in by_order().values()
        for earlier, later in pairwise(order)
    )


def _bad_quotes(crossed: bool) -> int:
    quotes = [
        m for c in ("stock", "option") for m in messages(f"{c}_data") if m["T"] == "q"
    ]
    if crossed:
        return sum(quote["bp"] > quote["ap"] for quote in quotes)
    return sum(quote["bp"] == 0 for quote in quotes)


def _sent_twice() -> int:
    sent = Counter(row["execution_uuid"] for row in executions())
    return sum(count > 1 for count in sent.values())


KINDS: dict[str, tuple[int, Any]] = {
    "final fills": (600, lambda: list(frames("fill"))),
    "partial fills": (150, lambda: list(frames("partial_fill"))),
    "executions in one microsecond": (20, _one_instant),
    "a later execution with an earlier time": (5, lambda: _inverted(False)),
    "the same in orders by dollars": (3, lambda: _inverted(True)),
    "orders through zero": (
        5,
        lambda: [o for o in by_order().values() if "legs" not in o[0] and _is_flip(o)],
    ),
    "shorts": (
        40,
        lambda: [
            f
            for f in frames("fill")
            if "position_qty" in f and f["position_qty"].startswith("-")
        ],
    ),
    "multi-leg fills": (2, lambda: [f for f in frames("fill") if "legs" in f]),
    "take-profit legs": (5, lambda: _brackets("limit", "fill")),
    "stop legs": (5, lambda: _brackets("stop", "fill")),
    "siblings canceled": (
        10,
        lambda: _brackets("limit", "canceled") + _brackets("stop", "canceled"),
    ),
    "trailing stops": (3, lambda: _classes("trailing_stop")),
    "orders by dollars": (
        3,
        lambda: [f for f in frames("fill") if f["order"]["notional"]],
    ),
    "entries canceled after a part": (
        2,
        lambda: [f for f in frames("canceled") if f["order"]["filled_qty"] != "0"],
    ),
    "new orders": (500, lambda: list(frames("new"))),
    "busts": (1, lambda: list(frames("trade_bust"))),
    "corrections": (1, lambda: list(frames("trade_correct"))),
    "redelivered frames": (80, _redelivered),
    "fills by REST": (50, lambda: activities("FILL")),
    "expiries": (1, lambda: activities("OPEXP")),
    "assignments": (1, lambda: activities("OPASN")),
    "exercises": (1, lambda: activities("OPEXC")),
    "deliveries of stock": (2, lambda: activities("OPTRD")),
    "rows of a split": (2, lambda: activities("SPLIT")),
    "dividends": (1, lambda: activities("DIV")),
    "fees of a symbol": (
        3,
        lambda: [row for row in activities("FEE") if "symbol" in row],
    ),
    "fees of an account": (
        10,
        lambda: [row for row in activities("FEE") if "symbol" not in row],
    ),
    "order rows with legs": (
        20,
        lambda: [row for row in messages("orders") if row["legs"]],
    ),
    "recommendations": (200, lambda: executions("dispatch_recommendations")),
    "entries": (200, lambda: [r for r in executions() if r["intent"] == "entry"]),
    "exits": (200, lambda: [r for r in executions() if r["intent"] == "exit"]),
    "entries without a recommendation": (
        3,
        lambda: [
            r
            for r in executions()
            if r["intent"] == "entry" and r["recommendation_id"] is None
        ],
    ),
    "dispatch rows sent again": (10, _sent_twice),
    "crypto quotes": (
        100,
        lambda: [m for m in messages("crypto_data") if m["T"] == "q"],
    ),
    "option trades": (
        100,
        lambda: [m for m in messages("option_data") if m["T"] == "t"],
    ),
    "quotes without a bid": (60, lambda: _bad_quotes(crossed=False)),
    "crossed quotes": (50, lambda: _bad_quotes(crossed=True)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_holds(kind: str) -> None:
    least, find = KINDS[kind]
    found = find()
    assert (found if isinstance(found, int) else len(found)) >= least


def test_every_family_of_exit_reasons_is_told_in_free_text() -> None:
    told = {row["exit_reason"] for row in executions() if row["exit_reason"]}
    assert told >= {
        "take_profit", "option_profit_target", "first_profit_target", "stop_loss",
        "option_stop_loss", "trailing_stop", "trailing_stop_hit", "max_hold_time",
        "day_trade_close", "market_close_protection", "expiration_risk",
        "theta_decay_risk", "theta_force_close", "missing_brackets", "manual_close",
        "phantom_reconciliation", "rotated into a better idea",
    }  # fmt: skip


def test_strategies_are_valid_and_entries_mostly_bounded() -> None:
    rows = executions()
    valid = {"day_trade", "swing_trade", "conservative"}
    assert {row["strategy_type"] for row in rows} == valid
    entries = [row for row in rows if row["intent"] == "entry"]
    assert sum(row["stop_price"] is not None for row in entries) > len(entries) * 0.8


def test_cumulative_quantities_form_a_chain_and_end_in_the_right_status() -> None:
    for order in by_order().values():
        if "legs" in order[0]:
            continue
        filled, paid = Decimal(0), Decimal(0)
        for data in order:
            filled += Decimal(data["qty"])
            paid += Decimal(data["qty"]) * Decimal(data["price"])
            state = data["order"]
            assert Decimal(state["filled_qty"]) == filled
            average = Decimal(state["filled_avg_price"])
            assert abs(average - paid / filled) <= Decimal("0.000001")
            final = data["event"] == "fill"
            assert state["status"] == ("filled" if final else "partially_filled")
            assert final == (data is order[-1]) or state["limit_price"]
        quantity = order[-1]["order"]["qty"]
        if quantity and order[-1]["event"] == "fill":
            assert Decimal(quantity) == filled


def _movements() -> Iterator[tuple[str, str, str, Decimal, Decimal | None]]:
    """Instant, account, symbol, change and stated position of all that moves one."""
    for data in frames(*FILLS, "trade_bust"):
        account = data["account"]
        if "legs" in data:
            sides = {leg["id"]: leg["side"] for leg in data["order"]["legs"]}
            for leg in data["legs"]:
                sign = 1 if sides[leg["order_id"]] == "buy" else -1
                held = Decimal(data["position_qtys"][leg["symbol"]])
                change = sign * Decimal(leg["qty"])
                yield data["timestamp"], account, leg["symbol"], change, held
        else:
            held = Decimal(data["position_qty"])
            symbol = data["order"]["symbol"]
            yield data["timestamp"], account, symbol, signed(data), held
    for line in sample():
        row = line["msg"]
        if line["from"] == "activities" and row["activity_type"] in (
            "OPEXP", "OPASN", "OPEXC", "OPTRD", "SPLIT",
        ):  # fmt: skip
            clock = "08" if row["activity_type"] == "SPLIT" else "21"
            instant = f"{row['date']}T{clock}"
            yield instant, line["account"], row["symbol"], Decimal(row["qty"]), None


def _lanes() -> dict[tuple[str, str], list[tuple[Decimal, Decimal | None]]]:
    """Changes and stated positions per account and symbol, in order of the day.

    Within a day the order of reception is that of the broker's books.
    """
    lanes = defaultdict(list)
    moves = sorted(
        _movements(),
        key=lambda move: move[0] if len(move[0]) == 13 else move[0][:10] + "T12",
    )
    for _, account, symbol, change, held in moves:
        lanes[account, symbol].append((change, held))
    return lanes


def test_the_stated_position_is_the_running_sum() -> None:
    for lane, moves in _lanes().items():
        position = Decimal(0)
        for change, held in moves:
            position += change
            assert held is None or held == position, lane


def test_positions_close_and_a_few_stay_open() -> None:
    closed, open_at_end = 0, {}
    for lane, moves in _lanes().items():
        position = Decimal(0)
        for change, _ in moves:
            before, position = position, position + change
            is_flat = abs(position) < DUST
            closed += abs(before) >= DUST and (is_flat or before * position < 0)
        if position:
            open_at_end[lane] = position
    assert 250 <= closed <= 400
    dust = {lane for lane, left in open_at_end.items() if abs(left) < DUST}
    assert dust == {("momentum", "BTC/USD")}
    still_open = open_at_end.keys() - dust
    assert 4 <= len(still_open) <= 8
    assert any(open_at_end[lane] < 0 for lane in still_open)
    assert any(len(symbol) > 15 for _, symbol in still_open)


def test_amendments_name_an_execution_that_came_before() -> None:
    known = set()
    for data in frames(*FILLS, "trade_bust", "trade_correct"):
        if "previous_execution_id" in data:
            assert data["previous_execution_id"] in known
        known.add(data.get("execution_id"))


def test_a_fill_by_rest_is_the_stream_s_under_new_york_s_clock() -> None:
    streamed = {}
    for data in frames(*FILLS):
        for leg in data.get("legs") or [data]:
            streamed[leg["execution_id"]] = leg
    for row in activities("FILL"):
        digits, execution = row["id"].split("::")
        assert streamed[execution]["price"] == row["price"]
        assert streamed[execution]["qty"] == row["qty"]
        behind = 5 if row["transaction_time"] < "2025-03-09T07" else 4
        hour = int(row["transaction_time"][11:13]) - behind
        assert digits[8:10] == f"{hour:02d}"
        assert digits[10:12] == row["transaction_time"][14:16]


def test_no_recommendation_is_younger_than_its_order() -> None:
    made = {
        row["recommendation_id"]: row["created_at"]
        for row in executions("dispatch_recommendations")
    }
    explained = [row for row in executions() if row["recommendation_id"]]
    assert explained
    assert all(made[row["recommendation_id"]] < row["created_at"] for row in explained)


def test_features_are_complete() -> None:
    for row in executions("dispatch_recommendations"):
        features = row["features_snapshot"]
        assert features.keys() >= {
            "iv_rank", "spread_pct", "trend_state", "sentiment_score", "volume_ratio"
        }  # fmt: skip
