"""The database that ``ingest`` writes to and dbt builds in: questions of our own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest import config
from ingest.database import connect

QUERIES = Path(__file__).parent / "sql"


@contextmanager
def connected() -> Iterator[Connection]:
    """A connection that commits each statement and is closed at the end.

    Raises ExcursionError where there is no database.
    """
    with closing(connect(config.load())) as connection:
        connection.autocommit = True
        yield connection


def query(
    connection: Connection, name: str, parameters: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a query of ``orchestration/sql``."""
    with connection.cursor() as cursor:
        cursor.execute(_text(name), parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def execute(
    connection: Connection, name: str, parameters: Mapping[str, Any] | None = None
) -> None:
    """Statements of ``orchestration/sql``."""
    with connection.cursor() as cursor:
        cursor.execute(_text(name), parameters)


def _text(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text("utf-8")
