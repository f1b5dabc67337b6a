"""When what is built: the statistics of a trading date, in the night after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def scheduled(
    job: Any,
    cron_schedule: str,
    description: str,
    request: Callable[[ScheduleEvaluationContext], Any] | None = None,
) -> ScheduleDefinition:
    """A schedule by UTC that runs unless somebody stops it.

    ``job``: of ops or of assets; Dagster has no public type of the latter.
    """
    return ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron_schedule,
        execution_timezone="UTC",
        execution_fn=request,
        default_status=DefaultScheduleStatus.RUNNING,
        description=description,
    )


# 21:00 or 22:00 in New York: after the close and the extended hours (20:00), and before
# midnight, at either side of the clock change.
nightly_stats_schedule = scheduled(
    nightly_stats,
    "0 2 * * *",
    "Every night at 02:00 UTC, for the New York date that is ending. Nights that were"
    " missed, five at most, are caught up at the next start.",
    request_stats,
)

# When no stock or option trades, and the night's run is long done.
full_refresh_schedule = scheduled(
    full_refresh,
    "0 8 * * 0",
    "Every Sunday at 08:00 UTC, while no marks are archived.",
    request_full_refresh,
)

old_runs_schedule = scheduled(old_runs, "0 7 * * *", "Every day at 07:00 UTC.")
