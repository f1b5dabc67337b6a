"""Rows into tables, many with one statement: as JSON, or packed for COPY.

JSON is for what is decided on row by row: the statement says which columns it takes out
of it. Temporary tables filled by COPY would have to be emptied at the end of each
transaction, which takes longer than everything else that a small batch needs.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import orjson
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.sql import statement

# Rows a statement, so that little of a batch stands in memory as text.
CHUNK = 2_000

# What stands before and after the rows of COPY's binary format.
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"


def values_of(fact: Any) -> tuple[Any, ...]:
    """The fields of a fact in order: dataclasses.astuple would copy each value."""
    return tuple(getattr(fact, name) for name in fact.__dataclass_fields__)


def as_json(text: str | bytes | None) -> orjson.Fragment | None:
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


def copy_packed(
    cursor: Cursor, table: str, columns: Sequence[str], rows: Sequence[bytes]
) -> None:
    """COPY rows that are in the binary format already.

    Each is the number of its fields (2 bytes), then for each field its length in bytes
    (4 bytes; -1 and nothing more for NULL) and its value as the column's type is sent.
    """
    if rows:
        cursor.copy_expert(
            f"copy {table} ({', '.join(columns)}) from stdin (format binary)",
            io.BytesIO(b"".join([_SIGNATURE, *rows, _TRAILER])),
        )
