"""When what is built: the statistics of a trading date, in the night after it."""

from __future__ import annotations

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    JobDefinition,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
)

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


def dateless(job: JobDefinition, cron_schedule: str, when: str) -> ScheduleDefinition:
    """A schedule of a job that is the same whenever it runs."""
    return ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron_schedule,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description=f"{when} UTC.",
    )


# When no stock or option trades, and the night's run is long done.
full_refresh_schedule = dateless(full_refresh, "0 8 * * 0", "Every Sunday at 08:00")
old_runs_schedule = dateless(old_runs, "0 7 * * *", "Every day at 07:00")
