"""Histories that begin in the middle of a position, through all models and tests."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.verify import verify
from tests.support import wire
from tests.support.dbt import build
from tests.support.postgres import Database, replay

OPENING = """
insert into raw.openings (
    account_name, symbol, qty, price, opened_at, price_source, reason
)
values (%s, %s, %s, %s, %s, 'broker', 'the stream said so')
"""


def traded(number: int, side: str, qty: str, price: str, **order: Any) -> str:
    """A fill of an order of its own, a minute after the one before."""
    of = wire.order(f"order-{number}", side=side, qty=qty, filled_qty=qty, **order)
    return wire.line(
        "trade_updates",
        wire.frame(
            of=of,
            qty=qty,
            price=price,
            execution_id=f"{number:08x}-5813-471e-8de6-4243ff0e8668",
            timestamp=f"2026-03-02T15:{30 + number}:00Z",
        ),
    )


@pytest.fixture
def built(database: Database, tmp_path: Path) -> Database:
    """SPY: long 10 from before, sold with 5 more, covered. QQQ: never traded since."""
    lines = [
        traded(1, "sell", "4", "101"),
        traded(2, "sell", "11", "102"),
        traded(3, "buy", "5", "100"),
        wire.line("stock_data", wire.quote("QQQ", t="2026-03-02T15:40:00Z")),
        # The decision behind the first sell is no decision to have bought.
        wire.line("dispatch", wire.recommendation()),
        wire.line("dispatch", wire.execution(intent="exit")),
        wire.line("dispatch", wire.execution(
            execution_uuid="bec49ab4-6fc8-40d2-982c-ba01600a6733",
            alpaca_order_id="order-2",
        )),
    ]  # fmt: skip
    replay(database, lines, tmp_path)
    # Found too late, as if an earlier fill had turned up since.
    database.execute(OPENING, ("main", "SPY", 10, "99.5", "2026-03-02 15:35:00+00"))
    database.execute(OPENING, ("main", "QQQ", -3, "100", "2026-03-02 15:00:00+00"))
    build(database)
    return database


def test_the_synthetic_part_is_flagged_and_the_rest_is_not(built: Database) -> None:
    rows = built.query(
        "select ticker, side, quantity, entry_price, pnl_dollars, entry_time::text,"
        " execution_id is null, execution_uuid::text, is_opening_synthetic"
        " from analytics.position_history order by entry_time"
    )
    assert rows == [
        (
            *("SPY", "long", 10, Decimal("99.5"), 21, "2026-03-02 15:31:00+00"),
            *(True, None, True),
        ),
        (
            *("SPY", "short", 5, 102, 10, "2026-03-02 15:32:00+00"),
            *(False, "bec49ab4-6fc8-40d2-982c-ba01600a6733", False),
        ),
    ]
    assert built.query(
        "select ticker, side, quantity, entry_price, unrealized_pnl_dollars,"
        " last_mark_price, is_opening_synthetic, alpaca_order_id, strategy_type"
        " from analytics.active_positions"
    ) == [("QQQ", "short", 3, 100, 0, 100, True, None, None)]
    [(last,)] = built.query(
        "select column_name::text from information_schema.columns"
        " where table_schema = 'analytics' and table_name = 'position_history'"
        " order by ordinal_position desc limit 1"
    )
    assert last == "is_opening_synthetic"


def test_statistics_and_coverage_leave_it_out(built: Database) -> None:
    assert built.query("select distinct n_trades from analytics.strategy_stats") == [
        (1,)
    ]
    assert built.query(
        "select opened_count, dispatched_count from analytics.feature_coverage"
    ) == [(1, 1)]


def test_every_promise_holds(built: Database) -> None:
    with closing(built.connect()) as connection:
        failed = [
            r for r in verify(connection, min_coverage=Decimal(0)) if not r.passed
        ]
    assert failed == []


def test_the_id_does_not_change_with_its_time(built: Database) -> None:
    ids = "select id::text from analytics.position_history order by 1"
    before = built.query(ids)
    built.execute("update raw.openings set opened_at = '2026-02-27 20:00:00+00'")
    build(built)
    assert built.query(ids) == before
    assert built.query(
        "select entry_time::text from analytics.position_history"
        " where is_opening_synthetic"
    ) == [("2026-02-27 20:00:00+00",)]


def test_where_every_end_is_of_a_beginning_unseen_nothing_is_counted(
    database: Database, tmp_path: Path
) -> None:
    replay(database, [traded(1, "sell", "10", "101")], tmp_path)
    database.execute(OPENING, ("main", "SPY", 10, "99.5", "2026-03-02 15:00:00+00"))
    build(database)
    assert database.query("select count(*) from analytics.strategy_stats") == [(0,)]
    with closing(database.connect()) as connection:
        found = {r.promise: r for r in verify(connection, min_coverage=Decimal(0))}
    assert found["statistics"].passed
    assert "nothing to count yet" in found["statistics"].evidence
