"""When what is built: the statistics of a trading date, in the night after it."""

from __future__ import annotations

import psycopg2
from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
)

from ingest.errors import ExcursionError
from orchestration.database import connected, query
from orchestration.dbt_assets import statistics
from orchestration.full_refresh import full_refresh
from orchestration.old_runs import old_runs
from orchestration.trading_dates import trading_date_of

nightly_stats = define_asset_job(
    "nightly_stats",
    # With the checks of the raw tables, which belong to no asset that is built here.
    selection=AssetSelection.all() | AssetSelection.all_asset_checks(),
    description="Builds and tests everything, strategy_stats for one trading date.",
)

past_stats = define_asset_job(
    "past_stats",
    selection=AssetSelection.assets(statistics) | AssetSelection.checks(statistics),
    description="strategy_stats of past dates again, from the positions as they are.",
)


def request_stats(context: ScheduleEvaluationContext) -> RunRequest:
    """A run for the date of the schedule, however late the run itself starts."""
    as_of_date = trading_date_of(context.scheduled_execution_time).isoformat()
    return RunRequest(run_key=as_of_date, partition_key=as_of_date)


nightly_stats_schedule = ScheduleDefinition(
    name="nightly_stats_schedule",
    job=nightly_stats,
    # 21:00 or 22:00 in New York: after the close and the extended hours (20:00), and
    # before midnight, at either side of the clock change.
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    execution_fn=request_stats,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every night at 02:00 UTC, for the New York date that is ending. Nights"
    " that were missed, five at most, are caught up at the next start.",
)


def request_full_refresh(_: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """A run, unless marks that it would read are archived."""
    try:
        with connected() as connection:
            [(days,)] = query(connection, "archived_days")
    except (ExcursionError, psycopg2.Error):
        # A run can wait for its database, and tells of it.
        days = 0
    if days:
        return SkipReason(
            f"the marks of {days} day(s) are archived: without them nothing can be"
            " derived anew"
        )
    return RunRequest()


# When no stock or option trades, and the night's run is long done.
full_refresh_schedule = ScheduleDefinition(
    name="full_refresh_schedule",
    job=full_refresh,
    cron_schedule="0 8 * * 0",
    execution_timezone="UTC",
    execution_fn=request_full_refresh,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every Sunday at 08:00 UTC, while no marks are archived.",
)

old_runs_schedule = ScheduleDefinition(
    name="old_runs_schedule",
    job=old_runs,
    cron_schedule="0 7 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 07:00 UTC.",
)
