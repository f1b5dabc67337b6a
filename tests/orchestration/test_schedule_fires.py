"""The daemon's own tick of 02:00 UTC, with Dagster's storage in PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from orchestration.trading_dates import trading_date_of
from tests.support import wire
from tests.support.dagster_dev import dev
from tests.support.ingester import eventually
from tests.support.postgres import Database, Server, replay

BEGUN = """
select instigator_body from instigators
where instigator_body::jsonb -> 'origin' ->> 'job_name' = 'nightly_stats_schedule'
"""
BEGIN_BEFORE = """
update instigators set instigator_body = %s
where instigator_body::jsonb -> 'origin' ->> 'job_name' = 'nightly_stats_schedule'
"""
RUNS = "select status, run_body from runs where pipeline_name = 'nightly_stats'"
STATISTICS = """
select as_of_date, n_trades from analytics.strategy_stats
where is_all_tickers and strategy_type = 'ALL' and asset_type = 'ALL'
order by as_of_date desc
"""

#: Seconds for Dagster to start, to tick, and to build.
PATIENCE = 240


@pytest.mark.long
def test_a_night_that_was_missed_is_caught_up_at_the_next_start(
    server: Server, built: Database, tmp_path: Path
) -> None:
    night = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
    if night > datetime.now(UTC):
        night -= timedelta(days=1)
    known = built.query(STATISTICS)
    with server.created(migrated=False) as storage:
        environment = built.environment(
            DAGSTER_HOME=str(tmp_path / "home"), DAGSTER_POSTGRES_URL=url(storage)
        )
        with dev(environment, tmp_path / "first.log"):
            # The schedule is on from its first start.
            eventually(lambda: len(storage.query(BEGUN)), 1, PATIENCE)
        assert storage.query(RUNS) == []

        replay(built, trade(night - timedelta(hours=9)), tmp_path)
        begin_before(storage, night)
        with dev(environment, tmp_path / "second.log"):
            eventually(
                lambda: [status for status, _ in storage.query(RUNS)],
                ["SUCCESS"],
                PATIENCE,
            )
        [(_, body)] = storage.query(RUNS)

    date = trading_date_of(night)
    assert json.loads(body)["tags"]["dagster/partition"] == date.isoformat()
    assert built.query(STATISTICS) == [(date, 1), *known]
    # Nothing is left in files.
    assert not list(tmp_path.glob("home/**/*.db"))


def url(database: Database) -> str:
    """The database as SQLAlchemy names it."""
    parts = parse_dsn(database.url)
    return (
        f"postgresql+psycopg2://{parts['user']}@/{database.name}"
        f"?host={parts['host']}&port={parts.get('port', 5432)}"
    )


def trade(opened_at: datetime) -> list[str]:
    """Ten shares, held for a minute."""
    closed_at = opened_at + timedelta(minutes=1)
    sale = {"of": wire.order("order-2", side="sell"), "position_qty": "0"}
    return [
        wire.line("trade_updates", frame)
        for frame in (
            wire.frame(timestamp=opened_at.isoformat()),
            wire.frame(
                timestamp=closed_at.isoformat(),
                execution_id="c1aa3140-5813-471e-8de6-4243ff0e8669",
                **sale,
            ),
        )
    ]


def begin_before(storage: Database, night: datetime) -> None:
    """As if Dagster had stopped half a minute before the night.

    The clock of other processes cannot be set, what they remember can.
    """
    [(body,)] = storage.query(BEGUN)
    state = json.loads(body)
    state["job_specific_data"]["start_timestamp"] = night.timestamp() - 30
    state["job_specific_data"]["last_iteration_timestamp"] = night.timestamp() - 30
    storage.execute(BEGIN_BEFORE, (json.dumps(state),))
