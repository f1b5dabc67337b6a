"""Everything derived anew, once a week, and compared with what the nights made."""

# Not `from __future__ import annotations`: Dagster reads the types of the arguments.
import psycopg2
from dagster import (
    Failure,
    MetadataValue,
    OpExecutionContext,
    RetryRequested,
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

# Between two builds; and in one, where it asks for another try.
LOST = (RetryRequested, psycopg2.OperationalError, psycopg2.InterfaceError)

#: Everything takes ten minutes with a million positions, and is derived up to twice.
MAX_SECONDS = 6 * 3600


@op(
    description="Brings the tables up to date as a night does, keeps a copy, derives"
    " everything anew, and fails where a row is not the same.",
)
def refresh_and_compare(context: OpExecutionContext, dbt: DbtCliResource) -> None:
    """Raises Failure where a row was not that of a full refresh, or nobody can tell.

    Facts that arrive meanwhile change rows rightly: positions that these touch are not
    compared, and the statistics only where there were none.
    """
    with dbt_runs.lost_database_retried(context), connected() as connection:
        [(started,)] = query(connection, "now")
        _build(context, dbt)
        [(is_derived_anew,)] = query(connection, "is_derived_anew")
        if is_derived_anew:
            raise Failure(
                "Nothing was compared: this build had to derive everything anew, as the"
                " first one does, one after a changed setting, and one after a full"
                " refresh that was cut off. The tables are up to date.",
                allow_retries=False,
            )
        execute(connection, "keep_rows")
        try:
            _build(context, dbt, "--full-refresh")
            execute(connection, "note_arrivals", {"started_at": started})
            [(compared, arrived)] = query(connection, "count_compared")
            different = query(connection, "differing_rows")
        except LOST as error:
            # Another try would compare what is derived anew with itself.
            raise Failure(
                "Nothing was compared: the database was lost while everything was"
                " derived anew. The next build takes that up again.",
                allow_retries=False,
            ) from error
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
    tags={"dagster/max_runtime": str(MAX_SECONDS)},
)
def full_refresh() -> None:
    refresh_and_compare()
