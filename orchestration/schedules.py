"""When what is built: the statistics of a trading date, in the night after it."""

from __future__ import annotations

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    RunConfig,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
)

from orchestration.dbt_assets import BuildConfig, dbt_build
from orchestration.trading_dates import trading_date_of

#: Tag of a scheduled run, to find the run of a date by.
AS_OF_DATE_TAG = "excursion/as_of_date"

nightly_stats = define_asset_job(
    "nightly_stats",
    # With the checks of the raw tables, which belong to no asset that is built here:
    # all that dbt has is then selected, and dagster-dbt need not name each piece.
    selection=AssetSelection.assets(dbt_build) | AssetSelection.checks(dbt_build),
    description="Builds and tests everything, strategy_stats for one trading date.",
)


def request_stats(context: ScheduleEvaluationContext) -> RunRequest:
    """A run for the date of the schedule, however late the run itself starts."""
    as_of_date = trading_date_of(context.scheduled_execution_time).isoformat()
    config = BuildConfig(as_of_date=as_of_date)
    return RunRequest(
        run_config=RunConfig(ops={dbt_build.op.name: config}),
        tags={AS_OF_DATE_TAG: as_of_date},
    )


nightly_stats_schedule = ScheduleDefinition(
    name="nightly_stats_schedule",
    job=nightly_stats,
    # 21:00 or 22:00 in New York: after the close and the extended hours (20:00), and
    # before midnight, at either side of the clock change.
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    execution_fn=request_stats,
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every night at 02:00 UTC, for the New York date that is ending.",
)
