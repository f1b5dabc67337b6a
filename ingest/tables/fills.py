"""raw.fills: executions, decided on by the ledger, written with their dedupe rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest.errors import ExcursionError
from ingest.facts import Fill
from ingest.ledger import REST, FillLedger, StoredFill, Verdict
from ingest.outcome import Located, Outcome
from ingest.recording import Entry, parse_line
from ingest.sql import statement
from ingest.staging import insert_rows
from ingest.tables import events

COLUMNS = (
    "event_id", "kind", "account_name", "order_id", "client_order_id", "execution_id",
    "supersedes", "superseded_by", "symbol", "side", "qty", "price", "cum_qty",
    "position_qty", "executed_at", "source", "received_at", "line",
)  # fmt: skip


def write(cursor: Cursor, located: list[Located], outcome: Outcome) -> None:
    """Store new executions; quarantine what contradicts stored ones."""
    if not located:
        return
    ledger = _load(cursor, [fill for _, fill in located])
    entry_of: dict[str, Entry] = {}
    # Busts and corrections first: they free the places that others may take.
    for entry, fill in sorted(located, key=lambda pair: pair[1].kind == "fill"):
        verdict, why = ledger.admit(fill)
        if verdict is Verdict.CONTRADICTS:
            outcome.quarantine(entry, "contradicts_stored_fill", why)
        else:
            entry_of.setdefault(fill.event_id, entry)
            outcome.tally["fill", verdict.value] += 1
    if ledger.freed_orders:
        _try_again(cursor, ledger, entry_of, outcome)
    _apply_changes(cursor, ledger)
    _insert(cursor, ledger, entry_of)


def _try_again(
    cursor: Cursor, ledger: FillLedger, entry_of: dict[str, Entry], outcome: Outcome
) -> None:
    """Executions that came before the bust that makes room for them.

    They contradicted what was stored then; without another try the order of delivery
    would matter.
    """
    orders = {"order_ids": [f"%{order_id}%" for order_id in ledger.freed_orders]}
    cursor.execute(statement("writer/contradicting_messages"), orders)
    for quarantine_id, message in cursor.fetchall():
        entry = parse_line(message.encode())
        fills = [fact for fact in entry.facts if isinstance(fact, Fill)]
        verdicts = [
            ledger.admit(fill)[0]
            for fill in fills
            if fill.order_id in ledger.freed_orders
        ]
        if verdicts and Verdict.CONTRADICTS not in verdicts:
            entry_of.update((fill.event_id, entry) for fill in fills)
            outcome.tally["fill", "written"] += verdicts.count(Verdict.WRITTEN)
            cursor.execute(statement("writer/release_quarantine"), (quarantine_id,))


def _load(cursor: Cursor, fills: list[Fill]) -> FillLedger:
    named = {fill.event_id for fill in fills}
    named |= {fill.supersedes for fill in fills if fill.supersedes}
    event_ids = {"event_ids": list(named)}
    order_ids = {"order_ids": list({fill.order_id for fill in fills})}
    cursor.execute(statement("writer/known_fills"), {**order_ids, **event_ids})
    stored = [StoredFill(*row) for row in cursor.fetchall()]
    names: list[tuple[str, str]] = []
    if stored:
        cursor.execute(
            statement("writer/known_events"),
            {"fill_event_ids": [row.event_id for row in stored]},
        )
        names = cursor.fetchall()
    ledger = FillLedger(stored, names)
    cursor.execute(statement("writer/known_superseding"), event_ids)
    ledger.expect(cursor.fetchall())
    return ledger


def _apply_changes(cursor: Cursor, ledger: FillLedger) -> None:
    """What moves goes first: it may free the place that a new fill takes."""
    if ledger.released:
        released = {"event_ids": list(ledger.released)}
        cursor.execute(statement("writer/release_events"), released)
    stored = ledger.changed - ledger.inserted.keys()
    if not stored:
        return
    changed = [ledger.fills[event_id] for event_id in stored]
    cursor.execute(
        statement("writer/update_fills"),
        {
            "event_ids": [row.event_id for row in changed],
            "cum_qtys": [_text(row.cum_qty) for row in changed],
            "superseded_bys": [row.superseded_by for row in changed],
            "position_qtys": [_text(row.position_qty) for row in changed],
        },
    )
    confirmed = [row.event_id for row in changed if row.cum_qty_source == REST]
    cursor.execute(
        statement("writer/confirm_events"), {"event_ids": confirmed, "source": REST}
    )


def _insert(cursor: Cursor, ledger: FillLedger, entry_of: dict[str, Entry]) -> None:
    inserted = insert_rows(
        cursor,
        "insert_fills",
        COLUMNS,
        (
            _row(fill, ledger.fills[event_id], entry_of[event_id])
            for event_id, fill in ledger.inserted.items()
        ),
    )
    if inserted != len(ledger.inserted):
        raise ExcursionError(
            "raw.fills changed while it was written to: a program other than"
            " excursion inserts there; stop it and run again"
        )
    names: list[events.Row] = [
        (entry_of[event_id], event_id, fill.event_type, fill,
         ledger.fills[event_id].cum_qty_source, event_id)
        for event_id, fill in ledger.inserted.items()
    ]  # fmt: skip
    names += [
        (entry_of[event_id], event_id, fill.event_type, fill, fill.source, target)
        for event_id, (fill, target) in ledger.aliases.items()
    ]
    events.record(cursor, names)


def _row(fill: Fill, stored: StoredFill, entry: Entry) -> tuple[Any, ...]:
    return (
        fill.event_id, fill.kind, fill.account_name, fill.order_id,
        fill.client_order_id, fill.execution_id, fill.supersedes, stored.superseded_by,
        fill.symbol, fill.side, fill.qty, fill.price, stored.cum_qty,
        stored.position_qty, fill.executed_at, fill.source, entry.received_at,
        entry.line,
    )  # fmt: skip


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
