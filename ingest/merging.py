"""A dispatch row sent again: it may fill in what was null, never change what was said."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, TypeVar

from ingest.facts import Execution, Recommendation

Row = TypeVar("Row", Recommendation, Execution)

SNAPSHOTS = frozenset({"features_snapshot", "sentiment_snapshot"})


def merge(known: Row, sent: Row) -> tuple[Row, str | None]:
    """``known`` with its nulls filled from ``sent``, and what contradicts, if anything.

    An order id, for one, is known only after sending, so the same row comes twice.
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
