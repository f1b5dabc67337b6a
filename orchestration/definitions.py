"""Everything that Dagster loads: ``dagster dev`` finds it through pyproject.toml."""

from __future__ import annotations

from dagster import Definitions, in_process_executor

from orchestration.dbt_assets import dbt_build, source_assets
from orchestration.project import dbt_resource
from orchestration.schedules import nightly_stats, nightly_stats_schedule

defs = Definitions(
    assets=[dbt_build, *source_assets()],
    jobs=[nightly_stats],
    schedules=[nightly_stats_schedule],
    resources={"dbt": dbt_resource()},
    # A run is one step, within which dbt builds models side by side. A process of its
    # own for the step would add nothing but its start.
    executor=in_process_executor,
)
