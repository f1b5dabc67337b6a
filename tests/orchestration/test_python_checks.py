"""The two checks that are no dbt tests."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import AssetCheckResult, build_asset_check_context

from tests.support.postgres import Database

OPEN = """
select account_name, coalesce(option_symbol, ticker),
    case side when 'long' then quantity else -quantity end
from analytics.active_positions order by 1, 2
"""


@pytest.fixture
def used(built: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The built sample; the broker says what is open."""
    monkeypatch.setenv("DATABASE_URL", built.url)
    built.execute("truncate raw.broker_positions")
    for account, symbol, qty in built.query(OPEN):
        states(built, account, symbol, qty)
    return built


def states(database: Database, account: str, symbol: str, qty: Any) -> None:
    """The broker says so a year after the last fill."""
    database.execute(
        "insert into raw.broker_positions (account_name, symbol, qty, observed_at)"
        " select %s, %s, %s, max(executed_at) + interval '1 year' from raw.fills"
        " on conflict (account_name, symbol) do update"
        " set qty = excluded.qty, observed_at = excluded.observed_at",
        (account, symbol, qty),
    )


def broker() -> AssetCheckResult:
    from orchestration.checks import open_positions_are_the_brokers

    found = open_positions_are_the_brokers(build_asset_check_context())
    assert isinstance(found, AssetCheckResult)
    return found


def coverage(**config: float) -> AssetCheckResult:
    from orchestration.checks import Coverage, features_cover_the_last_30_dates

    found = features_cover_the_last_30_dates(
        build_asset_check_context(), Coverage(**config)
    )
    assert isinstance(found, AssetCheckResult)
    return found


def test_the_brokers_positions_are_ours(used: Database) -> None:
    assert used.query("select count(*) from raw.broker_positions") > [(0,)]
    assert broker().passed


def test_another_quantity_fails(used: Database) -> None:
    [(account, symbol, qty), *_] = used.query(OPEN)
    states(used, account, symbol, qty + 1)

    found = broker()

    assert not found.passed
    [record] = found.metadata["which"].records
    assert record.data["symbol"] == symbol
    # Traded after the broker was asked: nobody can tell.
    used.execute("update raw.broker_positions set observed_at = '2000-01-01Z'")
    assert broker().passed


@pytest.mark.parametrize("ours", [True, False])
def test_a_position_of_one_side_fails(used: Database, ours: bool) -> None:
    [(account, symbol, _), *_] = used.query(OPEN)
    if ours:
        states(used, account, symbol, 0)
    else:
        used.execute(
            "insert into raw.instruments (symbol, asset_class, ticker, multiplier)"
            " values ('ZZZ', 'us_equity', 'ZZZ', 1)"
        )
        states(used, account, "ZZZ", 5)
    assert not broker().passed


def test_an_account_that_was_never_asked_is_not_compared(used: Database) -> None:
    used.execute("truncate raw.broker_positions")
    found = broker()
    assert found.passed
    assert "nothing was compared" in str(found.description)


def test_features_are_covered_as_far_as_told(
    used: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coverage().passed
    used.execute("update raw.dispatch_recommendations set features_snapshot = null")
    used.execute("update analytics.position_history set entry_features_json = null")

    assert not coverage().passed
    assert coverage(min_coverage_pct=0).passed
    monkeypatch.setenv("EXCURSION_MIN_FEATURE_COVERAGE_PCT", "1.5")
    assert not coverage().passed
    assert "at least 1.5 %" in str(coverage().description)
