"""What stands in a table that dbt has just built: its columns and its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from dagster import AssetMaterialization, Output, TableColumn, TableSchema
from psycopg2.extensions import connection as Connection  # noqa: N812

from orchestration.database import connected, query

# Not dagster-dbt's fetch_row_counts(): it waits in a loop that takes one of two cores
# from dbt for as long as dbt runs.


def described(
    events: Iterable[Any],
    nodes: Mapping[str, Any],
    dates: tuple[str, str] | None = None,
) -> Iterator[Any]:
    """The events of a dbt invocation, those of a built table with its columns and rows.

    ``nodes``: of dbt's manifest. ``dates``: the first and the last that statistics were
    computed for; what they say is told too. The metadata has the names that Dagster
    shows. Raises DatabaseError or psycopg2.OperationalError where the database is lost.
    """
    with ExitStack() as stack:
        connection = None
        for event in events:
            if not isinstance(event, AssetMaterialization | Output):
                yield event
                continue
            # Not before dbt had one: it says better why there is none.
            connection = connection or stack.enter_context(connected())
            node = nodes[str(event.metadata["unique_id"].value)]
            more = description(connection, node)
            if dates:
                more |= statistics(connection, *dates)
            yield event.with_metadata({**event.metadata, **more})


def description(connection: Connection, node: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a relation and, unless it is a view, the number of its rows."""
    name = f'"{node["schema"]}"."{node["alias"]}"'
    columns = query(connection, "table_columns", {"name": name})
    told: dict[str, Any] = {
        "dagster/column_schema": TableSchema([TableColumn(*each) for each in columns])
    }
    if node["config"]["materialized"] != "view":
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {name}")  # noqa: S608 - dbt's own name
            told["dagster/row_count"] = cursor.fetchone()[0]  # type: ignore[index]
    return told


def statistics(connection: Connection, first: str, last: str) -> dict[str, Any]:
    """How many rows the dates have, and what is normal by the last of them."""
    [(rows, trades, win_rate, expectancy)] = query(
        connection, "statistics_of_dates", {"first": first, "last": last}
    )
    return {
        "dagster/partition_row_count": rows,
        f"to {last}: closed trades": trades or 0,
        f"to {last}: win rate": f"{win_rate} %" if trades else "-",
        f"to {last}: average P&L a trade": f"{expectancy} $" if trades else "-",
    }
