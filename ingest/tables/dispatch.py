"""raw.dispatch_recommendations and raw.dispatch_executions: what the bots decided."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, TypeVar

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import Execution, Recommendation
from ingest.outcome import Located, Outcome
from ingest.sql import statement
from ingest.staging import as_json, insert_rows, values_of

Row = TypeVar("Row", Recommendation, Execution)

SNAPSHOTS = frozenset({"features_snapshot", "sentiment_snapshot"})


def write(
    cursor: Cursor, located: list[Located], row_type: type[Row], outcome: Outcome
) -> None:
    """Store new rows and fill in nulls; quarantine what contradicts."""
    if not located:
        return
    kind = row_type.__name__.lower()
    columns = [field.name for field in fields(row_type)]
    key_column = columns[0]
    ids = list({getattr(row, key_column) for _, row in located})
    cursor.execute(statement(f"writer/known_{kind}s"), {"ids": ids})
    known: dict[str, Row] = {row[0]: row_type(*row) for row in cursor.fetchall()}
    changed: dict[str, Row] = {}
    for entry, row in located:
        key = getattr(row, key_column)
        merged, why = merge(known[key], row) if key in known else (row, None)
        if why is not None:
            reason = f"{kind} {key}: {why}"
            outcome.quarantine(entry, "contradicts_stored_dispatch", reason)
        elif merged is known.get(key):
            outcome.tally[kind, "duplicate"] += 1
        else:
            outcome.tally[kind, "written"] += 1
            outcome.tally[kind, "filled_in"] += key in known
            known[key] = changed[key] = merged
    rows = (
        [
            as_json(value) if column in SNAPSHOTS else value
            for column, value in zip(columns, values_of(row), strict=True)
        ]
        for row in changed.values()
    )
    insert_rows(cursor, f"insert_{kind}s", columns, rows)


def merge(known: Row, sent: Row) -> tuple[Row, str | None]:
    """``known`` with its nulls filled from ``sent``, and what contradicts, if anything.

    The same row comes twice because an order id, for one, is known only after sending.
    """
    filled: dict[str, Any] = {}
    for field in fields(known):
        old, new = getattr(known, field.name), getattr(sent, field.name)
        if new is None:
            continue
        if old is None:
            filled[field.name] = new
        elif not _same(field.name, old, new):
            return known, f"{field.name} is stored as {old}, sent again as {new}"
    return (replace(known, **filled) if filled else known), None


def _same(name: str, old: Any, new: Any) -> bool:
    if name in SNAPSHOTS:
        return bool(_parsed(old) == _parsed(new))
    return bool(old == new)


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
