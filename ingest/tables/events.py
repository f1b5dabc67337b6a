"""raw.alpaca_event_dedupe: every trade event and activity ever processed."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import Activity, Fill, TradeEvent
from ingest.outcome import Located, Outcome
from ingest.recording import Entry
from ingest.staging import insert_rows

COLUMNS = (
    "event_id", "event_type", "account_name", "order_id", "symbol", "source",
    "fill_event_id", "line",
)  # fmt: skip

# entry, event_id, event_type, fact, source, fill_event_id
Row = tuple[Entry, str, str, "Fill | TradeEvent | Activity", str | None, str | None]


def record(cursor: Cursor, rows: Iterable[Row]) -> int:
    """Remember events as processed; returns how many were new."""
    return insert_rows(
        cursor,
        "insert_events",
        COLUMNS,
        (
            (event_id, event_type, fact.account_name, getattr(fact, "order_id", None),
             fact.symbol, source, fill_event_id, entry.line)
            for entry, event_id, event_type, fact, source, fill_event_id in rows
        ),
    )  # fmt: skip


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store the events of orders that are no execution (new, canceled, ...)."""
    if not located:
        return
    first: dict[str, Row] = {}
    for entry, event in located:
        row = (entry, event.event_id, event.event_type, event, entry.channel, None)
        first.setdefault(event.event_id, row)
    outcome.count("event", len(located), record(cursor, first.values()))
