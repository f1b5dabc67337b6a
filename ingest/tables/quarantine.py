"""raw.quarantine: messages that could not be stored, as text, with the reason."""

from __future__ import annotations

import hashlib

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.outcome import Outcome
from ingest.staging import insert_rows

COLUMNS = (
    "reason_code", "reason", "source", "account_name", "message", "message_hash",
    "received_at",
)  # fmt: skip


def write(cursor: Cursor, outcome: Outcome) -> None:
    """Keep each distinct message once, however often it comes."""
    if not outcome.set_aside:
        return
    rows = (
        (problem.code, problem.reason, entry.channel, entry.account_name, entry.line,
         hashlib.sha256(entry.line.encode()).hexdigest(), entry.received_at)
        for entry, problem in outcome.set_aside
    )  # fmt: skip
    insert_rows(cursor, "insert_quarantine", COLUMNS, rows)
