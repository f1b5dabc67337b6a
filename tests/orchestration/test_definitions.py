"""What Dagster shows: pinned, so that a rename is seen in review."""

from __future__ import annotations

import os
import subprocess
import sys

from dagster import DefaultScheduleStatus, Definitions, ScheduleDefinition

from tests.support.paths import ROOT

#: Group and key of every asset.
ASSETS = [
    "intermediate: intermediate/int_broker_events__interpreted",
    "intermediate: intermediate/int_builds__scoped",
    "intermediate: intermediate/int_decisions__seen",
    "intermediate: intermediate/int_dividends__allocated",
    "intermediate: intermediate/int_executions__resolved",
    "intermediate: intermediate/int_fees__allocated",
    "intermediate: intermediate/int_lanes__pending",
    "intermediate: intermediate/int_lanes__touched",
    "intermediate: intermediate/int_lanes__unchecked",
    "intermediate: intermediate/int_lanes__unclaimed",
    "intermediate: intermediate/int_leg_day_paths__measured",
    "intermediate: intermediate/int_leg_days__reduced",
    "intermediate: intermediate/int_leg_days__touched",
    "intermediate: intermediate/int_legs__built",
    "intermediate: intermediate/int_open_legs__current",
    "intermediate: intermediate/int_open_legs__marked",
    "intermediate: intermediate/int_open_positions__described",
    "intermediate: intermediate/int_open_positions__quoted",
    "intermediate: intermediate/int_orders__dispatched",
    "intermediate: intermediate/int_position_events__accumulated",
    "intermediate: intermediate/int_position_events__ordered",
    "intermediate: intermediate/int_positions__derived",
    "intermediate: intermediate/int_positions__described",
    "intermediate: intermediate/int_positions__dispatched",
    "intermediate: intermediate/int_positions__excursions_found",
    "intermediate: intermediate/int_positions__exit_explained",
    "intermediate: intermediate/int_positions__paths_measured",
    "intermediate: intermediate/int_positions__quoted",
    "intermediate: intermediate/int_positions__replaced",
    "intermediate: intermediate/int_positions__risked",
    "intermediate: intermediate/int_positions__touched",
    "intermediate: intermediate/int_positions__unchecked",
    "marts: active_positions",
    "marts: feature_coverage",
    "marts: position_history",
    "marts: position_history_versions",
    "marts: strategy_stats",
    "marts: unallocated_fees",
    "raw: alpaca/account_activities",
    "raw: alpaca/alpaca_event_dedupe",
    "raw: alpaca/archived_marks",
    "raw: alpaca/broker_positions",
    "raw: alpaca/changed_facts",
    "raw: alpaca/changed_marks",
    "raw: alpaca/fills",
    "raw: alpaca/heartbeats",
    "raw: alpaca/instruments",
    "raw: alpaca/marks",
    "raw: alpaca/openings",
    "raw: alpaca/orders",
    "raw: alpaca/quarantine",
    "raw: alpaca/schema_migrations",
    "raw: dispatch/dispatch_executions",
    "raw: dispatch/dispatch_recommendations",
    "seeds: exit_reason_aliases",
    "seeds: exit_reasons",
    "staging: staging/stg_alpaca__account_activities",
    "staging: staging/stg_alpaca__events",
    "staging: staging/stg_alpaca__fills",
    "staging: staging/stg_alpaca__instruments",
    "staging: staging/stg_alpaca__mark_days",
    "staging: staging/stg_alpaca__marks",
    "staging: staging/stg_alpaca__openings",
    "staging: staging/stg_alpaca__orders",
    "staging: staging/stg_alpaca__quarantined_messages",
    "staging: staging/stg_dispatch__executions",
    "staging: staging/stg_dispatch__recommendations",
]


def test_assets(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    found = [
        f"{graph.get(key).group_name}: {key.to_user_string()}"
        for key in graph.get_all_asset_keys()
    ]

    assert sorted(found) == ASSETS


def test_only_raw_tables_are_not_built_here(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    groups = {graph.get(key).group_name for key in graph.external_asset_keys}

    assert groups == {"raw"}


def test_every_asset_has_a_description(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    bare = [
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if not graph.get(key).description
    ]

    assert bare == []


def test_every_asset_has_an_owner(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    owners = {
        (graph.get(key).group_name == "raw", tuple(graph.get(key).owners))
        for key in graph.get_all_asset_keys()
    }

    assert owners == {(True, ("team:ingest",)), (False, ("team:models",))}


def test_what_must_be_fresh(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    policies = {
        key.to_user_string(): type(policy).__name__
        for key in graph.get_all_asset_keys()
        if (policy := graph.get(key).freshness_policy)
    }

    assert policies == {
        "alpaca/heartbeats": "TimeWindowFreshnessPolicy",
        "alpaca/marks": "CronFreshnessPolicy",
        "position_history": "CronFreshnessPolicy",
        "strategy_stats": "CronFreshnessPolicy",
    }


def test_one_model_is_computed_for_a_date(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    partitioned = [
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if graph.get(key).partitions_def
    ]

    assert partitioned == ["strategy_stats"]


def test_the_jobs(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    built = {
        name: definitions.resolve_job_def(name).asset_layer.executable_asset_keys
        for name in ("nightly_stats", "past_stats", "refresh_positions")
    }

    stats = {key for key in graph.materializable_asset_keys if "stats" in key.path[-1]}
    assert built == {
        "nightly_stats": graph.materializable_asset_keys,
        "past_stats": stats,
        "refresh_positions": graph.materializable_asset_keys - stats,
    }
    assert definitions.resolve_job_def("full_refresh").name == "full_refresh"


def test_the_schedules(definitions: Definitions) -> None:
    found = [
        (schedule.name, schedule.job_name, schedule.cron_schedule)
        for schedule in definitions.schedules or []
        if isinstance(schedule, ScheduleDefinition)
        and schedule.execution_timezone == "UTC"
        and schedule.default_status is DefaultScheduleStatus.RUNNING
    ]

    assert found == [
        ("nightly_stats_schedule", "nightly_stats", "0 2 * * *"),
        ("full_refresh_schedule", "full_refresh", "0 8 * * 0"),
        ("old_runs_schedule", "old_runs", "0 7 * * *"),
    ]


def test_the_sensors(definitions: Definitions) -> None:
    found = {
        sensor.name: sensor.minimum_interval_seconds
        for sensor in definitions.sensors or []
    }

    assert found == {
        "refresh_positions_sensor": 60,
        "raw_tables_sensor": 300,
        "failed_runs_sensor": 30,
    }


def test_data_tests_block_what_is_downstream(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    open_ = {key.name for key in graph.asset_check_keys if not graph.get(key).blocking}

    # Those that only warn, and those that look beyond the models.
    assert open_ == {
        "assert_broker_activities_are_interpreted",
        "assert_closing_events_found_an_open_position",
        "assert_corrections_name_a_known_execution",
        "assert_exit_reason_texts_are_mapped",
        "assert_orders_fill_without_a_hole",
        "assert_quarantine_is_empty",
        "assert_recommendations_kept_their_features",
        "features_cover_the_last_30_dates",
        "open_positions_are_the_brokers",
    }


def test_dagster_validates_what_pyproject_names() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        cwd=ROOT,
        env={**os.environ},
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "code location orchestration.definitions" in done.stdout
