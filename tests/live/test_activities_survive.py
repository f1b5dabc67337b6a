"""What REST tells late, twice, in disorder or reluctantly (S12, S15)."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support import wire
from tests.support.ingester import Zygote, ingesting
from tests.support.live import (
    GRACE,
    after_rounds,
    count,
    held,
    incidents,
    metric,
    observed,
    quarantined,
    soon,
)
from tests.support.postgres import Database

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
CALL, PUT = "AAPL260417C00190000", "AAPL260417P00180000"


def test_s12_rows_in_disorder_across_pages_of_one_millisecond(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """More rows of one millisecond than a page holds, then a late, smaller uuid."""
    uuids = random.Random(12)

    def fill(number: int, prefix: int) -> None:
        alpaca.execute(
            "main", "SPY", "buy", 1, "5", order_id="one", order_qty=500, at=NOON,
            execution_id=f"{prefix:08x}-0000-4000-8000-{number:012x}",
            announce=False, on_stream=False,
        )  # fmt: skip

    with observed() as alpaca:
        alpaca.set_clock(NOON + timedelta(seconds=5))
        alpaca.faults.rest.shuffle_rows = True
        for number in range(1, 231):
            fill(number, uuids.randrange(1 << 16, 1 << 32))
        with ingesting(zygote, database, alpaca, tmp_path):
            soon(alpaca, lambda: count(database), 230)
            after_rounds(alpaca)
            fill(231, 7)
            soon(alpaca, lambda: count(database), 231)
            after_rounds(alpaca)

    assert database.query(
        "select array_agg(cum_qty::int order by cum_qty), count(distinct executed_at)"
        " from raw.fills"
    ) == [(list(range(1, 232)), 1)]
    assert quarantined(database) == []


def test_s12_rows_that_only_a_date_lists_are_found_by_the_sweep(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    hidden = "0badcafe-0000-4000-8000-000000000001"
    early = "0badcafe-0000-4000-8000-000000000002"
    with observed() as alpaca:
        alpaca.set_clock(NOON)
        alpaca.faults.rest.hide = [hidden, early]
        alpaca.execute(
            "main", "SPY", "buy", 2, "5", execution_id=early, on_stream=False,
            at=NOON - timedelta(days=3),
        )  # fmt: skip
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            # At the start, the last days are asked for by date.
            soon(alpaca, lambda: count(database), 1)
            for part in (3, 4, 5):
                alpaca.execute(
                    "main", "SPY", "buy", part, "5", order_id="one", order_qty=12,
                    execution_id=hidden if part == 4 else None,
                    on_stream=part != 4,
                )  # fmt: skip
            soon(alpaca, lambda: count(database), 3)
            soon(alpaca, lambda: metric(daemon, "order_holes", account="main"), 1)
            assert held(database) == {"SPY": "10"}
            # And again once New York's date has changed.
            alpaca.set_clock(NOON + timedelta(hours=14))
            soon(alpaca, lambda: count(database), 4)
            soon(alpaca, lambda: metric(daemon, "order_holes", account="main"), 0)
            dates = {
                request.query["date"]
                for request in alpaca.requests
                if "date" in request.query
            }

    # At least the last five trading days of either day.
    days = (datetime(2026, 2, 24, tzinfo=UTC) + timedelta(days=n) for n in range(8))
    assert {f"{day:%Y-%m-%d}" for day in days} <= dates
    assert held(database) == {"SPY": "14"}


def test_s15_what_moves_an_account_without_a_trade(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """Stored once the next day, a version for a new status, and positions balance."""

    def told(kind: str, number: int, **fields: Any) -> dict[str, Any]:
        row = wire.activity(
            kind,
            id=f"20260302000000000::0000000{number}-0000-4000-8000-000000000000",
            date="2026-03-02",
            **fields,
        )
        alpaca.activity("main", row)
        return row

    with observed() as alpaca:
        alpaca.set_clock(NOON)
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            after_rounds(alpaca)
            for symbol, side, qty in (
                (CALL, "buy", 2),
                (PUT, "sell", 1),
                ("ANET", "buy", 10),
                ("T", "buy", 7),
            ):
                alpaca.execute("main", symbol, side, qty, "3")
            soon(alpaca, lambda: count(database), 4)
            told("OPEXP", 1, symbol=CALL, qty="-2")
            told("OPASN", 2, symbol=PUT, qty="1")
            told("OPTRD", 7, symbol="AAPL", qty="100", price="180", net_amount="-18000")
            told("SPLIT", 3, symbol="ANET", qty="-10", price="100")
            told("SPLIT", 4, symbol="ANET", qty="40", price="25")
            fee = told("FEE", 5, net_amount="-0.02", activity_sub_type="REG")
            spin = told("OPTRD", 6, symbol="T", qty="5", price="9", net_amount="-45")
            # Positions have moved without a fill: that alone makes it ask, at once.
            soon(alpaca, lambda: count(database, "account_activities"), 7)
            for row in (fee, spin):
                alpaca.activity("main", {**row, "status": "canceled"})
            soon(alpaca, lambda: count(database, "account_activities"), 9)
            # A fee moves nothing: it is asked for within the hour, and at night.
            told("FEE", 8, net_amount="-0.03")
            alpaca.set_clock(NOON + timedelta(minutes=61))
            soon(alpaca, lambda: count(database, "account_activities"), 10)
            after_rounds(alpaca, seconds=GRACE)
            assert metric(daemon, "reconciliation_mismatches", account="main") == 0

    assert database.query(
        "select activity_type, symbol, trim_scale(qty)::text, net_amount::text, status"
        " from raw.account_activities order by activity_id, activity_type, status desc"
    ) == [
        ("OPEXP", CALL, "-2", "0", "executed"),
        ("OPASN", PUT, "1", "0", "executed"),
        ("SPLIT", "ANET", "-10", "0", "executed"),
        ("SPLIT", "ANET", "40", "0", "executed"),
        ("FEE", None, None, "-0.02", "executed"),
        ("FEE", None, None, "-0.02", "canceled"),
        ("OPTRD", "T", "5", "-45", "executed"),
        ("OPTRD", "T", "5", "-45", "canceled"),
        ("OPTRD", "AAPL", "100", "-18000", "executed"),
        ("FEE", None, None, "-0.03", "executed"),
    ]
    assert count(database) == 4, "no activity becomes a fill"
    events = "select count(*) from raw.alpaca_event_dedupe where event_id like 'nta:%%'"
    assert database.query(events) == [(10,)]
    assert dict(
        database.query(
            "select symbol, trim_scale(qty)::text from raw.broker_positions"
            " where qty <> 0"
        )
    ) == {"AAPL": "100", "ANET": "40", "T": "7"}
    assert incidents(database) == []
    assert quarantined(database) == []
    assert count(database, "openings") == 0


def test_rows_that_nobody_can_read_cost_no_other_row(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """They are set aside once, and the rounds go on."""
    strange = [None, 7, "row", {"id": "1"}, wire.activity("DIV", qty="many")]
    bodies = {
        "account/activities": [*strange, wire.fill_activity()],
        "orders": [None, wire.order("odd", legs=5), wire.order("order-1")],
        "positions": [None, {"qty": "1"}, wire.position("SPY", "10")],
    }
    with observed() as alpaca:
        for path, rows in bodies.items():
            alpaca.faults.rest.fail(
                200, path=f"/v2/{path}", body=json.dumps(rows), times=None
            )
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            soon(alpaca, lambda: count(database), 1)
            soon(alpaca, lambda: count(database, "broker_positions"), 1)
            soon(alpaca, lambda: count(database, "quarantine"), 9)
            after_rounds(alpaca, 2)
            failures = daemon.logs("catchup_failed")

    assert [line["reason"] for line in failures] == []
    assert count(database, "quarantine") == 9
    assert database.query("select order_id from raw.orders") == [("order-1",)]
    told = "select distinct source from raw.quarantine order by 1"
    sources = [("activities",), ("orders",), ("positions",)]
    assert database.query(told) == sources
