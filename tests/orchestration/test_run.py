"""Runs of the job, in this process, against a real database."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions

from tests.support.paths import SAMPLE
from tests.support.postgres import Database, replay

UNCHECKED = "select is_all_unchecked from analytics_intermediate.int_builds__scoped"

#: Run with the working directory in a checkout; prints what came of it.
RUN_JOB = """
import json
from dagster import DagsterInstance
from orchestration.definitions import defs

with DagsterInstance.ephemeral() as instance:
    job = defs.resolve_job_def("nightly_stats")
    result = job.execute_in_process(
        instance=instance, raise_on_error=False, partition_key="2025-03-10"
    )
built = result.get_asset_materialization_events()
checks = result.get_asset_check_evaluations()
print(json.dumps({
    "success": result.success,
    "built": [event.asset_key.to_user_string() for event in built],
    "failed": [check.check_name for check in checks if not check.passed],
}))
"""


@pytest.fixture
def sample(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """The database with the sample recording, and the environment naming it."""
    replay(database, [SAMPLE], tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    return database


def test_a_run_builds_and_checks_everything(
    sample: Database, definitions: Definitions
) -> None:
    graph = definitions.resolve_asset_graph()
    job = definitions.resolve_job_def("nightly_stats")

    with DagsterInstance.ephemeral() as instance:
        by_hand = job.execute_in_process(instance=instance)
    newest = dates(sample)
    [(first_exit,)] = sample.query(
        "select (min(exit_time) at time zone 'America/New_York')::date"
        " from analytics.position_history"
    )
    with DagsterInstance.ephemeral() as instance:
        for_a_date = job.execute_in_process(
            instance=instance, partition_key=first_exit.isoformat()
        )

    for result in (by_hand, for_a_date):
        built = {event.asset_key for event in result.get_asset_materialization_events()}
        checked = {
            check.asset_check_key for check in result.get_asset_check_evaluations()
        }
        assert result.success
        assert built == graph.materializable_asset_keys
        assert checked == set(graph.asset_check_keys)
    told = {
        event.asset_key.path[-1]: event.materialization.metadata
        for event in for_a_date.get_asset_materialization_events()
    }
    stats = told["strategy_stats"]
    assert stats["dagster/partition_row_count"].value == len(
        sample.query(
            "select from analytics.strategy_stats where as_of_date = %s", [first_exit]
        )
    )
    assert stats[f"to {first_exit}: closed trades"].value > 0
    assert str(stats[f"to {first_exit}: win rate"].value).endswith(" %")
    assert told["position_history"]["dagster/row_count"].value == 318
    # Without a date, that of the newest exit; with one, that one too.
    assert newest == sample_newest_exit(sample)
    assert dates(sample) == newest | {first_exit}
    # One step ran all of the tests that look at what is unchecked.
    assert sample.query(UNCHECKED) == [(False,)]


def test_a_failed_data_test_fails_the_run(
    checkout: Path, sample: Database, tmp_path: Path
) -> None:
    # On a seed, so that nearly everything depends on what failed.
    test = checkout / "tests" / "dbt" / "assert_nothing_is_right.sql"
    test.write_text("select * from {{ ref('exit_reasons') }}")
    environment = sample.environment(DBT_TARGET_PATH=str(tmp_path / "broken"))
    parse = "from orchestration import manifest; manifest.prepare()"

    done = subprocess.run(
        [sys.executable, "-c", f"{parse}\n{RUN_JOB}"],
        cwd=checkout,
        # The checkout before all else: the project may be installed too.
        env={**environment, "PYTHONPATH": str(checkout)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert not outcome["success"]
    assert outcome["failed"] == ["assert_nothing_is_right"]
    assert "exit_reasons" in outcome["built"]
    assert "position_history" not in outcome["built"]
    assert "strategy_stats" not in outcome["built"]


def test_without_a_database_the_run_fails(
    definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr("orchestration.dbt_runs.RETRIES", 0)
    job = definitions.resolve_job_def("nightly_stats")

    with DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)

    assert not result.success
    assert result.get_asset_materialization_events() == []


def test_one_run_at_a_time_and_nothing_sent(dagster_home: Path) -> None:
    with DagsterInstance.from_config(str(dagster_home)) as instance:
        settings = instance.get_concurrency_config().run_queue_config

        assert settings is not None
        assert settings.max_concurrent_runs == 1
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


def dates(database: Database) -> set[date]:
    rows = database.query("select distinct as_of_date from analytics.strategy_stats")
    return {day for (day,) in rows}


def sample_newest_exit(database: Database) -> set[date]:
    rows = database.query(
        "select (max(exit_time) at time zone 'America/New_York')::date"
        " from analytics.position_history"
    )
    return {day for (day,) in rows}
