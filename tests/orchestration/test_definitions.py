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
    "intermediate: intermediate/int_lanes__unclaimed",
    "intermediate: intermediate/int_leg_day_paths__measured",
    "intermediate: intermediate/int_leg_days__reduced",
    "intermediate: intermediate/int_leg_days__touched",
    "intermediate: intermediate/int_legs__built",
    "intermediate: intermediate/int_open_legs__current",
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


def test_the_job_builds_everything(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    layer = definitions.resolve_job_def("nightly_stats").asset_layer

    assert layer.executable_asset_keys == graph.materializable_asset_keys


def test_the_schedule(definitions: Definitions) -> None:
    [schedule] = definitions.schedules or []

    assert isinstance(schedule, ScheduleDefinition)
    assert schedule.name == "nightly_stats_schedule"
    assert schedule.job_name == "nightly_stats"
    assert schedule.cron_schedule == "0 2 * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is DefaultScheduleStatus.RUNNING


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
