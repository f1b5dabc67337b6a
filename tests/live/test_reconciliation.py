"""What was recorded against what the broker holds: found, alarmed, never repaired."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.progress import Progress
from ingest.reconcile import Looks, Reconciler
from ingest.settings import Ingest
from ingest.state import AccountState
from standin import Alpaca
from tests.support import wire
from tests.support.ingester import Ingester, Zygote, ingesting
from tests.support.live import (
    GRACE,
    after_rounds,
    asked,
    count,
    executions,
    held,
    incidents,
    is_reconciled,
    metric,
    observed,
    soon,
)
from tests.support.postgres import Database, replay

HIDDEN = "0badcafe-0000-4000-8000-000000000001"
ACTIVITIES = "/v2/account/activities"
OPENINGS = (
    "select symbol, qty::int, round(price, 2)::text, price_source, reason"
    " from raw.openings"
)


def three_parts(alpaca: Alpaca, **middle: Any) -> None:
    """An order filled by 10, 20 and 30; the stream does not tell the second."""
    for qty, options in ((10, {}), (20, {"on_stream": False, **middle}), (30, {})):
        alpaca.execute(
            "main", "SPY", "buy", qty, "5", order_id="one", order_qty=60, **options
        )


def mismatches(daemon: Ingester) -> float:
    return metric(daemon, "reconciliation_mismatches", account="main")


def test_a_hole_in_an_orders_chain_is_asked_for_by_its_order(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """The row is dated so early that no window lists it."""
    early = datetime.now(UTC) - timedelta(hours=3)
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            after_rounds(alpaca)
            assert asked(alpaca, ACTIVITIES, order_id="one") == 0
            three_parts(alpaca, at=early)
            soon(alpaca, lambda: count(database), 3)
            assert asked(alpaca, ACTIVITIES, order_id="one") >= 1
            after_rounds(alpaca, seconds=GRACE)
            assert metric(daemon, "order_holes", account="main") == 0

    assert [row[4] for row in executions(database)] == ["10", "30", "60"]
    assert incidents(database) == []


def test_a_hole_that_rest_cannot_fill_is_an_incident_and_never_a_fill(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    def holes() -> float:
        return metric(daemon, "order_holes", account="main")

    with observed() as alpaca:
        alpaca.faults.rest.hide = [HIDDEN]
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            soon(alpaca, lambda: is_reconciled(tmp_path))
            three_parts(alpaca, execution_id=HIDDEN)
            soon(alpaca, holes, 1)
            soon(alpaca, lambda: mismatches(daemon), 1)
            after_rounds(alpaca, 2)
            assert asked(alpaca, ACTIVITIES, order_id="one") >= 1
            found = incidents(database)
            status, document = daemon.get("/status")
            assert held(database) == {"SPY": "40"}
            # REST shows it at last: no alarm stays, the incidents do.
            alpaca.faults.rest.hide = []
            soon(alpaca, lambda: held(database), {"SPY": "60"})
            soon(alpaca, lambda: (holes(), mismatches(daemon)), (0, 0))

    missing, mismatch = found
    assert missing[:2] == ("missing_execution", "SPY")
    assert missing[2] == "order one: 60 SPY filled, 40 recorded"
    assert mismatch[:2] == ("position_mismatch", "SPY")
    assert incidents(database) == found
    kinds = {alarm["kind"] for alarm in json.loads(document)["alarms"]}
    assert status == 200
    assert {"order_hole", "mismatch"} <= kinds
    assert count(database, "openings") == 0


def test_a_position_that_differs_is_an_incident_until_it_balances(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            soon(alpaca, lambda: is_reconciled(tmp_path))
            alpaca.execute("main", "SPY", "buy", 10, "5")
            soon(alpaca, lambda: count(database), 1)
            after_rounds(alpaca, 3)
            assert mismatches(daemon) == 0
            alpaca.position("main", wire.position("SPY", "15"))
            soon(alpaca, lambda: mismatches(daemon), 1)
            # It stays one incident, however often it is looked at.
            after_rounds(alpaca, 2)
            found = incidents(database)
            alpaca.position("main", wire.position("SPY", "10"))
            soon(alpaca, lambda: mismatches(daemon), 0)

    reason = "SPY: the broker holds 15, the fills make 10"
    assert found == [("position_mismatch", "SPY", reason)]
    assert incidents(database) == found
    assert held(database) == {"SPY": "10"}
    assert count(database, "openings") == 0


def test_s14_orders_and_positions_that_disagree_for_a_while_are_no_incident(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """Ten seconds against the twenty of the setting, in a tenth of the time."""
    assert Ingest().grace_seconds >= 20
    with (
        observed() as alpaca,
        ingesting(
            zygote, database, alpaca, tmp_path, ingest={"grace_seconds": 2}
        ) as daemon,
    ):
        soon(alpaca, lambda: is_reconciled(tmp_path))
        alpaca.faults.rest.positions_lag = 1
        alpaca.execute("main", "SPY", "buy", 10, "5")
        observed_qty = "select qty from raw.broker_positions"
        soon(alpaca, lambda: database.query(observed_qty), [(10,)])
        after_rounds(alpaca)
        assert mismatches(daemon) == 0
    assert incidents(database) == []


@pytest.fixture
def reconciler(database: Database, tmp_path: Path) -> Reconciler:
    """With the grace period of the settings, of an account in order."""
    progress = Progress(tmp_path / "progress.json")
    progress.reconciled()
    return Reconciler(
        database.connect,
        "main",
        AccountState("main"),
        progress,
        Ingest().grace_seconds,
        lambda order_id: None,
    )


NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


def test_s14_ten_seconds_of_disagreement_at_the_default_grace(
    database: Database, tmp_path: Path, reconciler: Reconciler
) -> None:
    """A fill of 10 that the positions do not show yet, looked at every five seconds."""
    replay(database, [wire.line("trade_updates", wire.frame())], tmp_path)
    for now in (0.0, 5.0, 10.0):
        reconciler.look([], NOON, now)
    reconciler.look([wire.position("SPY", "10")], NOON, 10.5)
    reconciler.look([], NOON, 21.0)
    assert incidents(database) == []
    # It lasts: after the grace period it is none of that.
    reconciler.look([], NOON, 40.0)
    assert incidents(database) == []
    reconciler.look([], NOON, 41.0)
    assert [row[:2] for row in incidents(database)] == [("position_mismatch", "SPY")]
    assert held(database) == {"SPY": "10"}


def test_a_difference_needs_two_looks_and_the_grace_period_unchanged() -> None:
    looks = Looks(20)
    assert looks.confirmed({"SPY": 1}, 100) == set()
    assert looks.confirmed({"SPY": 1}, 119.9) == set()
    assert looks.confirmed({"SPY": 1}, 120) == {"SPY"}
    assert looks.confirmed({"SPY": 2}, 140) == set(), "another difference"
    assert looks.confirmed({}, 150) == set()
    assert looks.confirmed({"SPY": 2}, 170) == set(), "it was gone in between"
    eager = Looks(0)
    assert eager.confirmed({"SPY": 1}, 100) == set(), "one look is not enough"
    assert eager.confirmed({"SPY": 1}, 100.1) == {"SPY"}


def test_what_is_held_when_the_account_is_first_met_gets_one_opening(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    reason = "held when the account was first recorded"
    expected = [
        # Positions name a pair without the slash that its fills have.
        ("BTC/USD", 2, "64000.00", "broker", reason),
        ("QQQ", -7, "80.00", "broker", reason),
        ("SPY", 100, "90.00", "broker", reason),
    ]
    coins = {"asset_class": "crypto", "avg_entry_price": "64000"}
    with observed() as alpaca:
        alpaca.position("main", wire.position("SPY", "100", avg_entry_price="90"))
        alpaca.position("main", wire.position("QQQ", "-7", avg_entry_price="80"))
        alpaca.position("main", wire.position("BTCUSD", "2", **coins))
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            soon(alpaca, lambda: sorted(database.query(OPENINGS)), expected)
            soon(alpaca, lambda: is_reconciled(tmp_path))
            # Trading goes on from there, and the sums are right.
            alpaca.execute("main", "SPY", "sell", 30, "95")
            soon(alpaca, lambda: count(database), 1)
            after_rounds(alpaca, seconds=GRACE)
            assert mismatches(daemon) == 0
            daemon.stop()
        rows = database.query("select * from raw.openings order by symbol")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for folder, seconds in ((tmp_path, 0), (elsewhere, GRACE)):
            with ingesting(zygote, database, alpaca, folder) as daemon:
                after_rounds(alpaca, seconds=seconds)
                assert mismatches(daemon) == 0

    assert database.query("select * from raw.openings order by symbol") == rows
    assert incidents(database) == []
    assert count(database) == 1, "no opening is a fill"


def test_a_first_fill_that_finds_a_position_gets_one_opening(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            # The account was in order before: only the stream's word explains it.
            soon(alpaca, lambda: is_reconciled(tmp_path))
            # The stream is the first to tell.
            alpaca.faults.rest.activities_lag = 1
            alpaca.position("main", wire.position("SPY", "100", avg_entry_price="90"))
            alpaca.execute("main", "SPY", "sell", 30, "95")
            reason = "the first recorded execution found a position"
            expected = [("SPY", 100, "90.00", "broker", reason)]
            soon(alpaca, lambda: database.query(OPENINGS), expected)
            after_rounds(alpaca, seconds=GRACE)
            assert mismatches(daemon) == 0
            daemon.stop()
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            after_rounds(alpaca, seconds=GRACE)
            assert mismatches(daemon) == 0

    assert database.query(
        "select o.qty, o.opened_at <= f.executed_at, f.position_qty"
        " from raw.openings as o join raw.fills as f using (account_name, symbol)"
    ) == [(100, True, Decimal(70))]
    assert incidents(database) == []


def test_a_position_that_appears_later_without_a_word_is_an_incident(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """The account was in order: nothing says that its history began before."""
    with observed() as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            soon(alpaca, lambda: is_reconciled(tmp_path))
            alpaca.position("main", wire.position("SPY", "100"))
            soon(alpaca, lambda: mismatches(daemon), 1)
    assert count(database, "openings") == 0
    assert [row[:2] for row in incidents(database)] == [("position_mismatch", "SPY")]
