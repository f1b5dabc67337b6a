"""Frames of every shape survive, readable or not (faults S9, S10, S11)."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from standin import Alpaca
from tests.support.ingester import Zygote, eventually, ingesting
from tests.support.live import (
    GRACE,
    after_rounds,
    count,
    executions,
    held,
    incidents,
    metric,
    observed,
    quarantined,
    soon,
)
from tests.support.postgres import Database


def revision(event: str, of: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A bust or correction of the execution in a frame."""
    data = of["data"]
    return {
        "stream": "trade_updates",
        "data": {
            **data,
            "event": event,
            "execution_id": f"{data['execution_id'][:-4]}beef",
            "previous_execution_id": data["execution_id"],
            **fields,
        },
    }


def test_s9_what_nobody_can_read_is_kept_and_costs_no_other_message(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    def good(number: int, **fields: Any) -> Any:
        """A fill of an order of its own, not sent yet."""
        frame = alpaca.execute(
            "main", "SPY", "buy", number, "431.25", order_id=f"order-{number}",
            announce=False, on_stream=False, on_rest=False, order=fields,
        )  # fmt: skip
        return copy.deepcopy(frame)

    def sent(frame: Any) -> str:
        text = json.dumps(frame)
        alpaca.push_raw("main", text)
        return text

    # REST shows nothing: whatever is stored came through the stream.
    patient = {"grace_seconds": 60}
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path, ingest=patient) as daemon:
            order = good(1)["data"]["order"]
            sent(good(2))
            unreadable: list[tuple[str | bytes, str]] = [
                ("this is not JSON", "bad_shape"),
                ("{", "bad_shape"),
                (b"\xff\xfe\x00", "bad_shape"),
                ("[1, 2]", "bad_shape"),
                ("17", "bad_shape"),
                ("null", "bad_shape"),
                ('{"stream": "trade_updates", "data": null}', "bad_shape"),
                ('{"stream": "trade_updates"}', "bad_shape"),
                ('{"stream": "trade_updates", "data": []}', "bad_shape"),
                ('{"stream": "elsewhere", "data": {}}', "bad_shape"),
                (
                    json.dumps(
                        {
                            "stream": "trade_updates",
                            "data": {
                                "event": "teleported",
                                "timestamp": order["updated_at"],
                                "order": order,
                            },
                        }
                    ),
                    "unknown_event",
                ),
            ]
            for text, _ in unreadable:
                alpaca.push_raw("main", text)
            # Shapes that nobody sends must not hurt what listens beside the recorder.
            for strange in ({"legs": 5}, {"status": []}, {"legs": [7]}, {"id": {}}):
                frame = good(3)
                frame["data"]["order"].update(strange)
                unreadable.append((sent(frame), ""))
            novel = good(4)
            novel["data"]["order"]["status"] = "brand_new_status"
            sent(novel)
            extra = good(5, surprise={"nested": [1, 2.5, None]})
            extra["more"] = extra["data"]["more"] = "than anybody knows"
            sent(extra)
            nameless = good(6)
            nameless["data"]["execution_id"] = ""
            sent(nameless)
            pretty = good(7)
            alpaca.push_raw("main", json.dumps(pretty, indent=1).encode())
            sent(good(8))

            eventually(lambda: count(database, "quarantine") >= len(unreadable))
            eventually(lambda: metric(daemon, "spool_depth_bytes"), 0)
            stored = {int(row[2]) for row in executions(database)}
            live = {"stream": "trading:main"}
            assert metric(daemon, "stream_live", **live) == 1
            assert metric(daemon, "stream_restarts_total", **live) == 0

    assert stored == {2, 4, 5, 6, 7, 8}
    rows = database.query("select message, reason_code, reason from raw.quarantine")
    assert len(rows) == len(unreadable)
    found = [(json.loads(message)["msg"], code) for message, code, reason in rows]
    assert all(reason for _, _, reason in rows)
    for raw, code in unreadable:
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        kept = [code for said, code in found if said in (text, _loaded(text))]
        assert kept, f"not kept: {text}"
        assert not code or kept == [code]
    [(status,)] = database.query(
        "select status from raw.orders where order_id = 'order-4'"
    )
    assert status == "brand_new_status"


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_s10_orders_of_every_shape_are_exact(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    """Multi-leg, bracket child, notional with nine decimals, short, option, crypto."""
    names = (
        "03_fill_short_sale", "04_fill_option_occ", "04_partial_close_option",
        "05_fill_mleg", "06_fill_bracket_entry", "06_fill_bracket_stop_leg",
        "06_canceled_bracket_tp_leg", "08_partial_fill_notional_fraction",
        "08_fill_notional_whole_EARLIER_timestamp",
    )  # fmt: skip
    with observed() as alpaca:
        alpaca.set_clock(datetime(2026, 3, 5, 19, 3, tzinfo=UTC))
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            for name in names:
                path = shared / "alpaca" / "examples" / f"{name}.json"
                alpaca.push("main", json.loads(path.read_text()))
            alpaca.execute(
                "main", "BTC/USD", "buy", "0.123456789", "64321.123456789",
                order_id="crypto",
            )  # fmt: skip
            eventually(lambda: count(database), 10)
            # REST's copies arrive, and the broker's positions are the sums of fills.
            after_rounds(alpaca, seconds=GRACE)
            assert metric(daemon, "reconciliation_mismatches", account="main") == 0
            assert metric(daemon, "order_holes", account="main") == 0

    assert set(executions(database)) == {
        ("AAPL260417C00190000", "buy", "2", "2.35", "2"),
        ("AAPL260417C00190000", "sell", "1", "3.12", "1"),
        ("AAPL260417P00175000", "buy", "1", "0.62", "1"),
        ("AAPL260417P00180000", "sell", "1", "1.6", "1"),
        ("AMZN", "buy", "0.792161878", "179.15", "0.792161878"),
        ("AMZN", "buy", "2", "179.15", "2.792161878"),
        ("BTC/USD", "buy", "0.123456789", "64321.123456789", "0.123456789"),
        ("MSFT", "buy", "20", "412.05", "20"),
        ("MSFT", "sell", "20", "398.31", "20"),
        ("TSLA", "sell", "50", "251.14", "50"),
    }
    positions = {
        "AAPL260417C00190000": "1", "AAPL260417P00175000": "1",
        "AAPL260417P00180000": "-1", "AMZN": "2.792161878", "BTC/USD": "0.123456789",
        "MSFT": "0", "TSLA": "-50",
    }  # fmt: skip
    assert held(database) == positions
    assert count(database, "openings") == 0
    assert dict(
        # A round between the two fills of MSFT has it, and later says that it is gone.
        database.query(
            "select symbol, trim_scale(qty)::text from raw.broker_positions"
            " where qty <> 0"
        )
    ) == {symbol: qty for symbol, qty in positions.items() if qty != "0"}
    [(stop, mleg)] = database.query(
        "select"
        " (select parent_order_id is not null and order_type = 'stop' from raw.orders"
        "  where order_id = 'd70f6ee5-6095-5b9c-8be2-044272d22ecd'),"
        " (select count(*) from raw.orders"
        "  where parent_order_id = '7c43ce81-298f-574e-9414-933382957dd1')"
    )
    assert (stop, mleg) == (True, 2)
    assert quarantined(database) == []


def test_s11_busts_and_corrections_in_every_order_of_arrival(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """After the original, before it, and without it: superseded once, sums right."""

    def filled(symbol: str, **options: Any) -> dict[str, Any]:
        return alpaca.execute("main", symbol, "buy", 10, "5", **options)

    def busted(of: dict[str, Any]) -> dict[str, Any]:
        order = {**of["data"]["order"], "filled_qty": "0", "filled_avg_price": None}
        return revision("trade_bust", of, qty="-10", position_qty="0", order=order)

    def corrected(of: dict[str, Any]) -> dict[str, Any]:
        order = {**of["data"]["order"], "filled_avg_price": "4"}
        return revision("trade_correct", of, price="4", position_qty="10", order=order)

    with (
        observed() as alpaca,
        ingesting(zygote, database, alpaca, tmp_path) as daemon,
    ):
        after_rounds(alpaca)
        stored = [(filled("AAA"), busted), (filled("BBB"), corrected)]
        eventually(lambda: count(database), 2)
        for frame, revised in stored * 2:
            alpaca.push("main", revised(frame))
        # The original is lost on the stream, and late in REST.
        alpaca.faults.rest.activities_lag = 1
        for symbol, revised in (("CCC", busted), ("DDD", corrected)):
            alpaca.push("main", revised(filled(symbol, on_stream=False)))
        # And here it is nowhere, ever.
        _without_original(alpaca, "EEE", busted)
        _without_original(alpaca, "FFF", corrected)
        soon(alpaca, lambda: count(database), 10)
        after_rounds(alpaca, seconds=GRACE)
        assert metric(daemon, "reconciliation_mismatches", account="main") == 0

    rows = database.query(
        "select symbol, kind, price::text, superseded_by is not null"
        " from raw.fills order by symbol, kind desc"
    )
    assert rows == [
        ("AAA", "fill", "5", True), ("AAA", "bust", "5", False),
        ("BBB", "fill", "5", True), ("BBB", "correct", "4", False),
        ("CCC", "fill", "5", True), ("CCC", "bust", "5", False),
        ("DDD", "fill", "5", True), ("DDD", "correct", "4", False),
        ("EEE", "bust", "5", False), ("FFF", "correct", "4", False),
    ]  # fmt: skip
    assert database.query(
        "select count(*) from raw.fills as original join raw.fills as revision"
        " on original.superseded_by = revision.event_id"
        " and revision.supersedes = original.event_id"
    ) == [(4,)]
    assert held(database) == {"BBB": "10", "DDD": "10", "FFF": "10"}
    assert count(database, "openings") == 0
    assert incidents(database) == []
    assert quarantined(database) == []


def _without_original(alpaca: Alpaca, symbol: str, revised: Any) -> None:
    frame = alpaca.execute(
        "main", symbol, "buy", 10, "5", announce=False, on_stream=False, on_rest=False
    )
    alpaca.push("main", revised(frame))


def test_s11_the_examples_of_busts_and_corrections(
    zygote: Zygote, database: Database, tmp_path: Path, shared: Path
) -> None:
    names = (
        "11_fill_then_busted", "11_trade_bust", "11_fill_then_corrected",
        "11_trade_correct",
    )  # fmt: skip
    with observed() as alpaca:
        alpaca.set_clock(datetime(2026, 3, 2, 22, 30, tzinfo=UTC))
        with ingesting(zygote, database, alpaca, tmp_path):
            for name in names:
                path = shared / "alpaca" / "examples" / f"{name}.json"
                alpaca.push("main", json.loads(path.read_text()))
            eventually(lambda: count(database), 4)
            after_rounds(alpaca, 2)

    assert database.query(
        "select symbol, kind, qty, price, superseded_by is not null, supersedes"
        " from raw.fills order by symbol, kind desc"
    ) == [
        ("BSRR", "fill", 1, Decimal("28.93"), True, None),
        ("BSRR", "correct", 1, 25, False, "exec:99a61e92-bf1e-539f-b586-d2cf7da06386"),
        ("JTAI", "fill", 2, Decimal("0.107703"), True, None),
        (
            "JTAI", "bust", 2, Decimal("0.107703"), False,
            "exec:d9feff5b-bb5b-5fb1-81cd-657e97b9c716",
        ),
    ]  # fmt: skip
    assert held(database) == {"BSRR": "1"}
    assert quarantined(database) == []
