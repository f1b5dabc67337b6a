"""raw.quarantine: messages that could not be stored, as text, with the reason."""

from __future__ import annotations

import hashlib
import re

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.outcome import Outcome
from ingest.recording import Entry
from ingest.staging import insert_rows

COLUMNS = (
    "reason_code", "reason", "source", "account_name", "message", "message_hash",
    "received_at",
)  # fmt: skip

# REST tells the same row again and again: when it was received makes no other message.
RECEIVED = re.compile(rb'\s*\{\s*"at"\s*:\s*"[^"\\]*"\s*,\s*')


def write(cursor: Cursor, outcome: Outcome) -> None:
    """Keep each distinct message once, however often it comes."""
    if not outcome.set_aside:
        return
    rows = (
        (problem.code, problem.reason, entry.channel, entry.account_name, entry.line,
         _identity(entry), entry.received_at)
        for entry, problem in outcome.set_aside
    )  # fmt: skip
    insert_rows(cursor, "insert_quarantine", COLUMNS, rows)


def _identity(entry: Entry) -> str:
    """The same for a message that is delivered again, whenever that is."""
    raw, match = entry.raw, RECEIVED.match(entry.raw)
    return hashlib.sha256(raw[match.end() :] if match else raw).hexdigest()
