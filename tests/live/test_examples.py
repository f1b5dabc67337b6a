"""Every example of what Alpaca sends is stored right, or kept with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingest import values
from standin import wire
from tests.support.ingester import Zygote, eventually, ingesting
from tests.support.live import asked, count, metric, observed
from tests.support.postgres import Database

# Nothing is compared while the examples, which are of many accounts, go in.
PATIENT = {"grace_seconds": 600}
FILLS = {"fill": "fill", "partial_fill": "fill", "trade_bust": "bust"}
KINDS = {**FILLS, "trade_correct": "correct"}


def loaded(folder: Path, pattern: str = "*.json") -> dict[str, Any]:
    """The examples of a folder, by name."""
    return {
        path.stem: json.loads(path.read_text(), parse_float=Decimal)
        for path in sorted(folder.glob(pattern))
    }


def fill_of(frame: dict[str, Any]) -> tuple[Any, ...]:
    """The row of raw.fills that the execution of a frame has to make."""
    data, order = frame["data"], frame["data"]["order"]
    previous = data.get("previous_execution_id")
    return (
        f"exec:{data['execution_id']}",
        KINDS[data["event"]],
        order["id"],
        order["symbol"],
        order["side"],
        abs(Decimal(data["qty"])),
        Decimal(data["price"]),
        Decimal(order["filled_qty"]),
        Decimal(data["position_qty"]),
        values.instant(data["timestamp"], "timestamp"),
        f"exec:{previous}" if previous else None,
    )


def legs_of(frame: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows that a multi-leg fill has to make."""
    orders = {leg["id"]: leg for leg in frame["data"]["order"]["legs"]}
    return [
        (
            f"exec:{leg['execution_id']}",
            "fill",
            leg["order_id"],
            leg["symbol"],
            orders[leg["order_id"]]["side"],
            Decimal(leg["qty"]),
            Decimal(leg["price"]),
            Decimal(orders[leg["order_id"]]["filled_qty"]),
            Decimal(frame["data"]["position_qtys"][leg["symbol"]]),
            values.instant(leg["timestamp"], "timestamp"),
            None,
        )
        for leg in frame["data"]["legs"]
    ]


STORED = (
    "select event_id, kind, order_id, symbol, side, qty, price, cum_qty, position_qty,"
    " executed_at, supersedes from raw.fills order by 1"
)


def test_every_trading_frame_is_stored_right(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    folder = shared / "alpaca" / "examples"
    control = loaded(folder, "00_*.json")
    frames = {
        name: frame
        for name, frame in loaded(folder).items()
        if not name.startswith(("00_", "12_"))
    }
    assert (len(control), len(frames)) == (4, 38)
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path, ingest=PATIENT) as daemon:
            for frame in frames.values():
                alpaca.push_raw("main", json.dumps(frame))
            # The last of them makes the stream live again.
            for name in ("authorized", "stream_error", "unauthorized", "listening"):
                alpaca.push_raw("main", json.dumps(control[f"00_{name}"]))
            closing = alpaca.execute("main", "LAST", "buy", 1, "1", announce=False)
            last = f"exec:{closing['data']['execution_id']}"
            known = f"select 1 from raw.fills where event_id = '{last}'"  # noqa: S608
            eventually(lambda: database.query(known), [(1,)])
            live = {"stream": "trading:main"}
            assert metric(daemon, "stream_live", **live) == 1
            assert metric(daemon, "stream_restarts_total", **live) == 0

    expected = []
    for name, frame in frames.items():
        if frame["data"]["event"] in KINDS and name != "02_partial_fill_filled_at_null":
            has_legs = "legs" in frame["data"]
            expected += legs_of(frame) if has_legs else [fill_of(frame)]
    rows = [row for row in database.query(STORED) if row[0] != last]
    assert rows == sorted(expected)
    assert len(rows) == 20
    payloads = database.query(
        "select payload from raw.fills where event_id <> %s", [last]
    )
    assert all(payload in frames.values() for (payload,) in payloads), "kept as it came"

    others = sorted(
        (frame["data"]["event"], frame["data"]["order"]["id"])
        for frame in frames.values()
        if frame["data"]["event"] not in KINDS
    )
    assert others == database.query(
        "select event_type, order_id from raw.alpaca_event_dedupe"
        " where fill_event_id is null order by 1, 2"
    )
    ids = {frame["data"]["order"]["id"] for frame in frames.values()}
    orders = {id_ for (id_,) in database.query("select order_id from raw.orders")}
    assert ids <= orders
    # What is no trade update is not thrown away either.
    [(code, reason, message)] = database.query(
        "select reason_code, reason, message from raw.quarantine"
    )
    assert (code, bool(reason)) == ("bad_shape", True)
    assert json.loads(message)["msg"] == control["00_stream_error"]


def test_the_frames_that_alpaca_py_would_drop(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    """They are three spellings of one fill: each is made another order's here."""
    order, execution = "bbb0ccd3-c4f5-53e1-885f-1f17eab620ff", "c555e509"
    frames = {}
    for number, path in enumerate(
        sorted((shared / "alpaca" / "examples").glob("12_*.json")), start=1
    ):
        text = path.read_text().replace(order, f"{number}{order[1:]}")
        text = text.replace(execution, f"{number}{execution[1:]}")
        frames[path.stem.removeprefix("12_UNPARSEABLE_")] = text
    assert len(frames) == 4
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path, ingest=PATIENT):
            for text in frames.values():
                alpaca.push_raw("main", text)
            eventually(lambda: count(database), 3)
            eventually(lambda: count(database, "quarantine"), 1)

    [(code, message)] = database.query(
        "select reason_code, message from raw.quarantine"
    )
    assert code == "bad_shape"
    assert json.loads(message)["msg"] == json.loads(frames.pop("data_null"))
    wanted = {name: json.loads(text)["data"] for name, text in frames.items()}
    assert database.query(
        "select order_id, event_id, symbol, side, qty::text, price::text,"
        " cum_qty::text, position_qty::text, executed_at::text"
        " from raw.fills order by order_id"
    ) == sorted(
        (
            data["order"]["id"],
            f"exec:{data['execution_id']}"
            if data["execution_id"]
            else f"oc:{data['order']['id']}:100:100:187.42",
            *("AAPL", "buy", "100", "187.42", "100", "100"),
            "2026-03-02 14:30:00.412345+00",
        )
        for data in wanted.values()
    )
    statuses = dict(database.query("select order_id, status from raw.orders"))
    novel = wanted["unknown_order_status"]["order"]
    assert statuses[novel["id"]] == "brand_new_status"


def test_every_row_of_rest_is_stored_right(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    rows = loaded(shared / "alpaca" / "examples" / "rest")
    fills, others = rows.pop("activities_FILL"), rows.pop("activities_NTA")
    orders, positions = rows.pop("orders_nested"), rows.pop("positions")
    assert not rows
    year = {**PATIENT, "backfill_days": 365}
    with observed() as alpaca:
        alpaca.set_clock(datetime(2026, 8, 3, 15, tzinfo=UTC))
        for row in (*fills, *others):
            alpaca.activity("main", row)
        for row in orders:
            alpaca.order("main", row)
        for row in positions:
            alpaca.position("main", row)
        with ingesting(zygote, database, alpaca, tmp_path, ingest=year):
            eventually(lambda: count(database), len(fills))
            eventually(lambda: count(database, "account_activities"), len(others))
            eventually(lambda: count(database, "broker_positions") >= 3)

    assert database.query(
        "select event_id, order_id, symbol, side, qty, price, cum_qty, executed_at,"
        " source from raw.fills order by 1"
    ) == sorted(
        (
            f"exec:{row['id'].split('::')[1]}", row["order_id"], row["symbol"],
            row["side"], Decimal(row["qty"]), Decimal(row["price"]),
            Decimal(row["cum_qty"]), values.instant(row["transaction_time"], ""),
            "activities",
        )
        for row in fills
    )  # fmt: skip
    assert database.query(
        "select activity_id, activity_type, activity_sub_type, activity_date::text,"
        " symbol, qty, price, net_amount, per_share_amount, status"
        " from raw.account_activities order by 1"
    ) == sorted(
        (
            row["id"], row["activity_type"], row.get("activity_sub_type"), row["date"],
            row.get("symbol"), *map(_number, map(row.get, (
                "qty", "price", "net_amount", "per_share_amount",
            ))), row.get("status", "executed"),
        )
        for row in others
    )  # fmt: skip
    every = [(row, None) for row in orders]
    every += [(leg, row["id"]) for row in orders for leg in row["legs"] or ()]
    assert database.query(
        "select order_id, parent_order_id, client_order_id, nullif(symbol, ''), side,"
        " nullif(order_type, ''), order_class, status, qty, filled_qty,"
        " filled_avg_price, limit_price, stop_price, updated_at"
        " from raw.orders order by 1"
    ) == sorted(
        (
            row["id"], parent, row["client_order_id"], row["symbol"] or None,
            row["side"], row["type"] or None, row["order_class"] or None, row["status"],
            *map(_number, map(row.get, (
                "qty", "filled_qty", "filled_avg_price", "limit_price", "stop_price",
            ))), values.instant(row["updated_at"], ""),
        )
        for row, parent in every
    )  # fmt: skip
    stated = {
        row["symbol"]: (Decimal(row["qty"]), Decimal(row["avg_entry_price"]))
        for row in positions
    }
    told = "select symbol, qty, avg_entry_price from raw.broker_positions"
    held = {symbol: (qty, price) for symbol, qty, price in database.query(told)}
    assert stated.items() <= held.items()
    assert count(database, "quarantine") == 0


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


OBSERVED = (
    "select i.symbol, m.ts, m.price, m.bid, m.ask, m.is_usable"
    " from raw.marks as m join raw.instruments as i using (symbol_id)"
    " order by i.symbol, m.ts"
)


def test_every_sample_of_market_data(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    """Through the sockets, packed, with nanosecond timestamps."""
    samples = {
        path.stem: json.loads(path.read_text())
        for path in (shared / "alpaca" / "examples" / "data").glob("*.json")
        if not path.stem.startswith("snapshot")
    }
    assert len(samples) == 10
    feeds = {"option": "indicative", "crypto": "crypto"}
    watch = ["AAPL", "AAPL260417C00190000", "AAPL260417P00100000", "BTC/USD"]
    with observed() as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, market_data={"watch": watch}
        ):
            alpaca.wait_live("iex", "indicative", "crypto")
            for name, sample in samples.items():
                feed = next((feeds[part] for part in feeds if part in name), "iex")
                # As it is: not everything is subscribed to.
                frame = wire.packed_frame([wire.packed(sample)])
                alpaca.push_raw(feed, frame)
            eventually(lambda: count(database, "marks"), 6)
            eventually(lambda: count(database, "quarantine"), 4)

    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-03-02T15:{text}+00:00")

    call, put = watch[1:3]
    assert database.query(OBSERVED) == [
        ("AAPL", at("51:44.208123"), 188.01, None, None, True),
        ("AAPL", at("51:45.335689"), 188.01, 188.0, 188.02, True),
        (call, at("52:35.133122"), 2.84, None, None, True),
        (call, at("52:38.897261"), 2.85, 2.8, 2.9, True),
        (put, at("52:38.897261"), 0.0, 0.0, 0.01, False),
        ("BTC/USD", at("52:40.100000"), 64321.1, None, None, True),
    ]
    rows = database.query("select reason_code, reason, message from raw.quarantine")
    assert {(code, bool(reason)) for code, reason, _ in rows} == {("not_a_mark", True)}
    messages = [json.loads(message)["msg"] for *_, message in rows]
    kept = {message["T"]: message for message in messages}
    for name in ("bar_stock", "cancel_error", "correction", "status_halt"):
        sample = samples[name]
        found = kept[sample["T"]]
        assert {**found, "t": None} == {**sample, "t": None}
        # The same instant, with all of its nanoseconds.
        assert wire.nanoseconds(found["t"]) == wire.nanoseconds(sample["t"])


def test_snapshots_are_marks_with_the_time_of_their_quotes(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    folder = shared / "alpaca" / "examples" / "data"
    polled = {
        "watch": ["AAPL", "AAPL260417C00190000"],
        "max_stock_symbols": 0,
        "max_option_symbols": 0,
        "snapshot_seconds": 1,
    }
    with observed() as alpaca:
        for path, name in (
            ("/v2/stocks/snapshots", "snapshot_stock_rest"),
            ("/v1beta1/options/snapshots", "snapshot_option_rest"),
        ):
            body = (folder / f"{name}.json").read_text()
            alpaca.faults.rest.fail(200, path=path, body=body, times=None)
        with ingesting(zygote, database, alpaca, tmp_path, market_data=polled):
            eventually(lambda: count(database, "marks"), 4)
            # The same quote asked for again is the same mark.
            eventually(lambda: asked(alpaca, "/v2/stocks/snapshots") >= 3)

    assert [
        (symbol, f"{ts:%H:%M:%S.%f}", price, bid, ask)
        for symbol, ts, price, bid, ask, _ in database.query(OBSERVED)
    ] == [
        ("AAPL", "15:51:44.208123", 188.01, None, None),
        ("AAPL", "15:51:45.335689", 188.01, 188.0, 188.02),
        ("AAPL260417C00190000", "15:52:35.133122", 2.84, None, None),
        ("AAPL260417C00190000", "15:52:38.897261", 2.85, 2.8, 2.9),
    ]
    assert count(database, "quarantine") == 0
