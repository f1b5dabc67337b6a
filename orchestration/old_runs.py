"""What Dagster remembers of refreshes, forgotten after some days.

Up to a run a minute, each of one to three megabytes of events: what was built and which
checks passed. The nights stay.
"""

# Not `from __future__ import annotations`: Dagster reads the types of the arguments.
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    OpExecutionContext,
    RunsFilter,
    job,
    op,
)

from orchestration.dbt_runs import REFRESH
from orchestration.settings import KEEP_DAYS, KEEP_VARIABLE, keep_days

ENDED = [
    DagsterRunStatus.SUCCESS,
    DagsterRunStatus.FAILURE,
    DagsterRunStatus.CANCELED,
]
AT_ONCE = 100


@op(description="Deletes the runs of refresh_positions that are some days old.")
def forget(context: OpExecutionContext) -> None:
    before = datetime.now(UTC) - timedelta(days=keep_days())
    count = 0
    while runs := context.instance.get_runs(
        RunsFilter(job_name=REFRESH, statuses=ENDED, created_before=before),
        limit=AT_ONCE,
    ):
        for run in runs:
            delete(context.instance, run.run_id)
        count += len(runs)
    context.add_output_metadata({"runs": count})


def delete(instance: DagsterInstance, run_id: str) -> None:
    """Delete a run, its events (with the file that SQLite keeps) and its output."""
    instance.delete_run(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    # Of a run of its own, and empty now, but as large as it was.
    path_of = getattr(instance.event_log_storage, "path_for_shard", None)
    if path_of is not None:
        Path(path_of(run_id)).unlink(missing_ok=True)


@job(
    name="old_runs",
    description=f"Forgets the refreshes older than {KEEP_VARIABLE} days ({KEEP_DAYS}).",
)
def old_runs() -> None:
    forget()
