"""raw.account_activities: versions of what moves an account without a trade."""

from __future__ import annotations

from dataclasses import fields

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.facts import Activity
from ingest.outcome import Located, Outcome
from ingest.recording import Entry
from ingest.sql import statement
from ingest.staging import insert_rows, values_of
from ingest.tables import events

# All but the event_id, which is the dedupe table's.
COLUMNS = [field.name for field in fields(Activity)][1:]


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store new versions; quarantine one that differs from its stored twin."""
    if not located:
        return
    ids = {"activity_ids": [activity.activity_id for _, activity in located]}
    cursor.execute(statement("writer/known_activities"), ids)
    known = {row[:4]: row[4:] for row in cursor.fetchall()}
    new: list[tuple[Entry, Activity]] = []
    for entry, activity in located:
        a: Activity = activity
        key = (a.account_name, a.activity_id, a.status, a.activity_type)
        said = (a.symbol, a.qty, a.price, a.net_amount, a.activity_date)
        if key not in known:
            known[key] = said
            new.append((entry, a))
        elif known[key] != said:
            outcome.quarantine(
                entry,
                "contradicts_stored_activity",
                f"activity {a.activity_id} ({a.status}) is stored with other values",
            )
        else:
            outcome.tally["activity", "duplicate"] += 1
    outcome.tally["activity", "written"] += len(new)
    insert_rows(
        cursor,
        "insert_activities",
        [*COLUMNS, "received_at", "line"],
        ((*values_of(a)[1:], e.received_at, e.line) for e, a in new),
    )
    rows = [(e, a.event_id, a.activity_type, a, e.channel, None) for e, a in new]
    events.record(cursor, rows)
