"""Rows into tables, many with one statement, which gets them as JSON.

Temporary tables filled by COPY would have to be emptied at the end of each transaction,
which takes longer than everything else that a small batch needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import orjson
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.sql import statement

# Rows a statement, so that little of a batch stands in memory as text.
CHUNK = 2_000


def values_of(fact: Any) -> tuple[Any, ...]:
    """The fields of a fact in order: dataclasses.astuple would copy each value."""
    return tuple(getattr(fact, name) for name in fact.__dataclass_fields__)


def as_json(text: str | None) -> orjson.Fragment | None:
    """For a jsonb column: JSON text that goes in digit for digit."""
    return None if text is None else orjson.Fragment(text)


def insert_rows(
    cursor: Cursor, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Run ``ingest/sql/writer/<name>.sql`` on the rows; returns how many it touched.

    It gets them as a JSON list of objects: null for None, decimals as strings.
    """
    touched, remaining = 0, iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        objects = [dict(zip(columns, row, strict=True)) for row in chunk]
        text = orjson.dumps(objects, default=str).decode()
        cursor.execute(statement(f"writer/{name}"), {"rows": text})
        touched += cursor.rowcount
    return touched
