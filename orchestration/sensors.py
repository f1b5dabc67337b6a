"""What Dagster looks at between two nights: new facts, the raw tables, failed runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import requests
from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetSelection,
    DagsterEvent,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    define_asset_job,
    run_failure_sensor,
    sensor,
)

from ingest.errors import ExcursionError
from orchestration.database import connected, query
from orchestration.dbt_assets import positions, source_assets
from orchestration.dbt_runs import REFRESH

NOT_ENDED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]

WEBHOOK_VARIABLE = "EXCURSION_WEBHOOK_URL"
#: Where people open Dagster, so that a message can link to the run.
LINK_VARIABLE = "EXCURSION_DAGSTER_URL"
WEBHOOK_SECONDS = 10
REASON_LINES = 6

refresh_positions = define_asset_job(
    REFRESH,
    selection=AssetSelection.assets(positions) | AssetSelection.checks(positions),
    description="Derives and tests the positions that new facts touch.",
)


@sensor(
    name="refresh_positions_sensor",
    job=refresh_positions,
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Looks for fills, orders, activities and decisions that no build has"
    " seen, and refreshes the positions at most once a minute.",
)
def new_facts(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    """A run for the newest fact that no build has seen; one run for each, at most.

    A run that fails is not repeated before another fact arrives, or the night.
    """
    try:
        with connected() as connection:
            [(newest,)] = query(connection, "unseen_facts")
    except ExcursionError as error:
        return SkipReason(str(error))
    if newest is None:
        return SkipReason("every fact is in the positions")
    # Or they would queue up where one takes longer than a minute.
    ahead = RunsFilter(job_name=REFRESH, statuses=NOT_ENDED)
    if context.instance.get_runs_count(ahead):
        return SkipReason("a refresh has not ended yet; what came since waits for it")
    return RunRequest(run_key=newest)


@sensor(
    name="raw_tables_sensor",
    # Not within a run: nothing is computed, it is only noted that rows came.
    asset_selection=AssetSelection.groups("raw"),
    # Each event stays, about a kilobyte.
    minimum_interval_seconds=300,
    default_status=DefaultSensorStatus.RUNNING,
    description="Notes which raw tables have new rows, with the ingester's heartbeats.",
)
def raw_tables(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """One event for each raw table that was written to since the last look."""
    try:
        with connected() as connection:
            tables = query(connection, "raw_tables")
            heartbeats = query(connection, "heartbeats")
    except ExcursionError as error:
        return SkipReason(str(error))
    before: dict[str, int] = json.loads(context.cursor or "{}")
    written = {table: count for table, count, _ in tables}
    rows = {table: count for table, _, count in tables}
    events = [
        AssetMaterialization(
            spec.key,
            description="rows were written since the last look",
            metadata=_told(heartbeats) | {"rows, about": rows[table]},
        )
        for spec in source_assets()
        if (table := spec.key.path[-1]) in written
        # Fewer where a day was archived, or the server's counts were reset.
        and written[table] > before.get(table, 0)
    ]
    told = f"{len(events)} raw tables have new rows" if events else "no new rows"
    return SensorResult(
        asset_events=events, cursor=json.dumps(written), skip_reason=told
    )


def _told(heartbeats: list[tuple[Any, ...]]) -> dict[str, Any]:
    """What the ingester said last, by account."""
    return {
        f"account {account}": f"{'live' if is_live else 'not live'}, last event"
        f" {last_event or 'never'}, heartbeat {beat or 'never'}, {depth} bytes waiting"
        for account, beat, last_event, is_live, depth in heartbeats
    }


@run_failure_sensor(
    name="failed_runs_sensor",
    default_status=DefaultSensorStatus.RUNNING
    if os.environ.get(WEBHOOK_VARIABLE)
    else DefaultSensorStatus.STOPPED,
    description=f"Tells the webhook of {WEBHOOK_VARIABLE} of every run that fails; off"
    " where none is set.",
)
def failed_runs(context: RunFailureSensorContext) -> None:
    """Post what failed and why as Slack takes it: ``{"text": ...}``."""
    url = os.environ.get(WEBHOOK_VARIABLE)
    if url:
        answer = requests.post(
            url, json={"text": message(context)}, timeout=WEBHOOK_SECONDS
        )
        answer.raise_for_status()


def message(context: RunFailureSensorContext) -> str:
    """A line about the run, one about each step that failed, and a link."""
    run = context.dagster_run
    dates = run.tags.get("dagster/partition")
    # Dagster's name for what is chosen in the page.
    job_name = "a run by hand" if run.job_name == "__ASSET_JOB" else run.job_name
    lines = [f"excursion: {job_name}{f' for {dates}' if dates else ''} failed"]
    lines.extend(_failed_checks(context))
    for event in context.get_step_failure_events():
        lines.append(f"{event.step_key}: {_reason(event)}")
    if len(lines) == 1:
        lines.append(context.failure_event.message or "no reason was given")
    if link := os.environ.get(LINK_VARIABLE):
        lines.append(f"{link.rstrip('/')}/runs/{run.run_id}")
    return "\n".join(lines)


def _reason(event: DagsterEvent) -> str:
    """The first lines of why a step failed, dbt's or Python's."""
    failed = event.step_failure_data
    if failed.user_failure_data and failed.user_failure_data.description:
        told = failed.user_failure_data.description
    else:
        told = failed.error.message if failed.error else event.message or "no reason"
    return "\n".join(told.strip().splitlines()[:REASON_LINES])


def _failed_checks(context: RunFailureSensorContext) -> Iterator[str]:
    records = context.instance.all_logs(context.dagster_run.run_id)
    for record in records:
        event = record.dagster_event
        if event is not None and event.event_type_value == "ASSET_CHECK_EVALUATION":
            found = event.asset_check_evaluation_data
            if not found.passed:
                asset = AssetKey(found.asset_key.path).to_user_string()
                yield f"check {found.check_name} of {asset} did not pass"
