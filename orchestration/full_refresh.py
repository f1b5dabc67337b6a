"""Everything derived anew, once a week, and compared with what the nights made."""

# Not `from __future__ import annotations`: Dagster reads the types of the arguments.
from dagster import (
    Failure,
    MetadataValue,
    OpExecutionContext,
    job,
    op,
)
from dagster_dbt import DbtCliResource

from orchestration import dbt_runs
from orchestration.database import connected, execute, query
from orchestration.manifest import target_path

#: What the models read was tested by the night; the rows are compared here.
BUILD = [*dbt_runs.BUILD, "test"]

SHOWN = 20


@op(
    description="Brings the tables up to date as a night does, keeps a copy, derives"
    " everything anew, and fails where a row is not the same.",
)
def refresh_and_compare(context: OpExecutionContext, dbt: DbtCliResource) -> None:
    """Raises Failure where the incremental tables were not those of a full refresh.

    Facts that arrive meanwhile change rows rightly: positions that these touch are not
    compared, and the statistics only where there were none.
    """
    with connected() as connection:
        [(started,)] = query(connection, "now")
        _build(context, dbt)
        execute(connection, "keep_rows")
        _build(context, dbt, "--full-refresh")
        execute(connection, "note_arrivals", {"started_at": started})
        [(compared, arrived)] = query(connection, "count_compared")
        different = query(connection, "differing_rows")
    metadata = {
        "positions compared": MetadataValue.int(compared),
        "facts that arrived meanwhile": MetadataValue.int(arrived),
        "rows that differ": MetadataValue.int(len(different)),
    }
    if different:
        shown = "\n".join(f"- {table}: {row}" for table, row in different[:SHOWN])
        raise Failure(
            f"{len(different)} rows of the incremental tables are not those of a full"
            " refresh, which stands now. Please report it with these rows:\n" + shown,
            metadata={**metadata, "which": MetadataValue.md(shown)},
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


def _build(context: OpExecutionContext, dbt: DbtCliResource, *more: str) -> None:
    folder = target_path() / "dagster" / context.op.name
    with dbt_runs.failures_explained(context, folder):
        dbt.cli([*BUILD, *more], target_path=folder).wait()


@job(
    name="full_refresh",
    description="Derives everything anew and compares it with the incremental tables.",
)
def full_refresh() -> None:
    refresh_and_compare()
