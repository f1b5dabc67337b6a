"""dbt as a step of a run: what it is told, and what becomes of a failure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import psycopg2
from dagster import (
    AssetExecutionContext,
    Failure,
    MetadataValue,
    OpExecutionContext,
    RetryRequested,
)
from dagster_dbt import DbtCliResource
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from ingest.errors import DatabaseError
from orchestration import tables
from orchestration.manifest import target_path

# Unit tests try the SQL on made-up rows: nothing that a night could change.
BUILD = ["build", "--exclude-resource-type", "unit_test"]

#: The job that runs most often (orchestration/sensors.py).
REFRESH = "refresh_positions"

#: Where a run's records are kept beyond the run: a folder or bucket, by any URL that
#: fsspec knows. Not set: dbt's last run stays in its target folder, and no other.
RECORDS_VARIABLE = "EXCURSION_DAGSTER_RECORDS_URL"
RECORDS = ("run_results.json", "dbt.log")

#: A database that restarts is back in seconds, one that moves in minutes: 10, 20, 40
#: and 80 s are two and a half minutes in all.
RETRIES = 4
FIRST_WAIT_SECONDS = 10

# PostgreSQL's and libpq's words for a server that cannot be reached, or is no more.
LOST_CONNECTION = re.compile(
    r"connection to server .* failed|could not connect|connection refused"
    r"|could not translate host name|connection timed out|timeout expired"
    r"|server closed the connection|terminating connection|connection already closed"
    r"|SSL connection has been closed|database system is (?:starting|shutting)"
    r"|could not receive data from server",
    re.IGNORECASE,
)
COLORS = re.compile(r"\x1b\[[0-9;]*m")
FAILED_TEST = re.compile(r"Failure in (?:unit_)?test |configured to fail if")


def build(
    context: AssetExecutionContext,
    dbt: DbtCliResource,
    dates: tuple[str, str] | None = None,
) -> Iterator[Any]:
    """Build and test what the step selects; a failed test stops what depends on it.

    Raises as failures_explained does.
    """
    # One folder for all runs of a step, which come one at a time: dagster-dbt's choice
    # is a new one of some megabytes for each, and nobody removes it.
    step = context.op_execution_context.op.name
    folder = target_path() / "dagster" / step
    with environment(dates):
        invocation = dbt.cli(BUILD, context=context, target_path=folder)
    with failures_explained(context.op_execution_context, folder):
        yield from tables.described(
            invocation.stream(), invocation.manifest["nodes"], dates
        )


@contextmanager
def failures_explained(context: OpExecutionContext, folder: Path) -> Iterator[None]:
    """Let a dbt that fails within end the step as it should; keep its records.

    Raises RetryRequested where the database was lost and no test had failed, else
    Failure with dbt's reason.
    """
    try:
        with lost_database_retried(context):
            yield
    except DagsterDbtCliRuntimeError as error:
        if is_lost_connection(str(error)):
            raise retry(context) from error
        log = MetadataValue.path(str(folder / "dbt.log"))
        # Its own message begins with the name of every model and test.
        raise Failure(reason(str(error)), {"log": log}, allow_retries=False) from None
    finally:
        keep_records(folder, f"{context.run.run_id}/{context.op.name}")


@contextmanager
def lost_database_retried(context: OpExecutionContext) -> Iterator[None]:
    """Let a query within that loses the database start the step again, later.

    Raises RetryRequested.
    """
    try:
        yield
    except (DatabaseError, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise retry(context) from error


def retry(context: OpExecutionContext) -> RetryRequested:
    """To raise where the database was lost: the step again, later each time."""
    wait = FIRST_WAIT_SECONDS * 2**context.retry_number
    context.log.warning("the database was lost: once more in %d s", wait)
    return RetryRequested(RETRIES, seconds_to_wait=wait)


@contextmanager
def environment(dates: tuple[str, str] | None) -> Iterator[None]:
    """Let a dbt that is started within know the first and last date to compute.

    Not --vars: with others than last time dbt reads the whole project again, for as
    long as the date itself takes.
    """
    before = dict(os.environ)
    if dates:
        # A range of one date is that date (macros/as_of_dates.sql).
        first, last = dates
        os.environ.update(
            EXCURSION_AS_OF_DATE_FROM=first, EXCURSION_AS_OF_DATE_UNTIL=last
        )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def reason(message: str) -> str:
    """What dbt's log says of a failure, from the message of dagster-dbt's error."""
    found = message.partition("Errors parsed from dbt logs:")[2] or message
    return COLORS.sub("", found).strip()


def is_lost_connection(message: str) -> bool:
    """Whether dbt failed for want of a database, and for nothing else.

    What a test found stays true however often it is asked.
    """
    return bool(LOST_CONNECTION.search(message)) and not FAILED_TEST.search(message)


def keep_records(folder: Path, name: str) -> None:
    """Copy what dbt wrote about a run to where it is kept, if anywhere."""
    url = os.environ.get(RECORDS_VARIABLE, "").rstrip("/")
    if not url:
        return
    for record in RECORDS:
        if (folder / record).exists():
            with fsspec.open(f"{url}/{name}/{record}", "wb", auto_mkdir=True) as file:
                file.write((folder / record).read_bytes())
