"""Everything that Dagster loads: ``dagster dev`` finds it through pyproject.toml."""

from __future__ import annotations

from dagster import Definitions

from orchestration.checks import (
    features_cover_the_last_30_dates,
    open_positions_are_the_brokers,
)
from orchestration.dbt_assets import positions, source_assets, statistics
from orchestration.executors import executor
from orchestration.full_refresh import full_refresh
from orchestration.old_runs import old_runs
from orchestration.project import dbt_resource
from orchestration.schedules import (
    full_refresh_schedule,
    nightly_stats,
    nightly_stats_schedule,
    old_runs_schedule,
    past_stats,
)
from orchestration.sensors import (
    failed_runs,
    new_facts,
    raw_tables,
    refresh_positions,
)

defs = Definitions(
    assets=[positions, statistics, *source_assets()],
    asset_checks=[open_positions_are_the_brokers, features_cover_the_last_30_dates],
    jobs=[nightly_stats, past_stats, refresh_positions, full_refresh, old_runs],
    schedules=[nightly_stats_schedule, full_refresh_schedule, old_runs_schedule],
    sensors=[new_facts, raw_tables, failed_runs],
    resources={"dbt": dbt_resource()},
    executor=executor(),
)
