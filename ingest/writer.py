"""The one way into the raw schema, for replay and for the live daemon.

A batch is one transaction: facts, their dedupe rows and the quarantine of what could
not be stored commit together or not at all, so a process killed at any instant and
run again ends with every fact exactly once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from ingest import merging, values
from ingest.errors import ExcursionError
from ingest.facts import (
    Activity,
    Execution,
    Fill,
    Mark,
    OrderState,
    Recommendation,
    TradeEvent,
)
from ingest.ledger import REST, FillLedger, StoredFill, Verdict
from ingest.recording import Entry, Problem
from ingest.sql import statement
from ingest.staging import copy_lines, copy_rows

# Writers of all kinds queue on this transaction lock: what a batch was decided on
# cannot change before it commits. Any number, as long as nobody else uses it.
WRITER_LOCK = 6_120_081_001
ATTEMPTS = 3

Tally = Counter[tuple[str, str]]
Row = TypeVar("Row", Recommendation, Execution)
Located = tuple[Entry, Any]

FILL_COLUMNS = (
    "event_id", "kind", "account_name", "order_id", "client_order_id", "execution_id",
    "supersedes", "superseded_by", "symbol", "side", "qty", "price", "cum_qty",
    "position_qty", "executed_at", "source", "received_at", "line",
)  # fmt: skip
EVENT_COLUMNS = (
    "event_id", "event_type", "account_name", "order_id", "symbol", "source",
    "fill_event_id", "line",
)  # fmt: skip
MARK_COLUMNS = ("ts", "price", "bid", "ask", "symbol_id", "is_usable")
QUARANTINE_COLUMNS = (
    "reason_code", "reason", "source", "account_name", "message", "message_hash",
    "received_at",
)  # fmt: skip


class Writer:
    """Writes entries of a recording through one connection.

    ``on_quarantine`` is told of each entry that was set aside, with the problem.
    """

    def __init__(
        self,
        connection: Connection,
        on_quarantine: Callable[[Entry, Problem], None] | None = None,
    ) -> None:
        self._connection = connection
        self._on_quarantine = on_quarantine or (lambda entry, problem: None)
        self._symbol_ids: dict[str, int] = {}
        self._known_instruments: set[tuple[str, str]] = set()
        self._known_days: set[date] = set()
        self.touched_days: set[str] = set()
        self._tally: Tally = Counter()
        self._set_aside: list[tuple[Entry, Problem]] = []
        with connection, connection.cursor() as cursor:
            cursor.execute(statement("writer/stage"))

    def write(self, entries: Sequence[Entry]) -> Tally:
        """Write a batch; returns how many facts of each kind had each outcome.

        Keys are (kind, outcome), outcomes written, duplicate, quarantined, skipped.
        An entry that the database refuses is quarantined, the rest of its batch
        written. Raises ExcursionError when the connection is lost.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._write_batch(entries)
            except psycopg2.errors.DeadlockDetected:
                self._roll_back()
                if attempt == ATTEMPTS:
                    raise
            except (psycopg2.DataError, psycopg2.IntegrityError) as error:
                self._roll_back()
                return self._write_halves(entries, str(error).partition("\n")[0])
            except psycopg2.OperationalError as error:
                reason = str(error).partition("\n")[0]
                raise ExcursionError(
                    f"the database connection was lost ({reason}); run again, nothing"
                    " is written twice"
                ) from error
        raise AssertionError("unreachable")

    def _write_halves(self, entries: Sequence[Entry], reason: str) -> Tally:
        """Find the entry that the database refuses by halving the batch."""
        if len(entries) == 1:
            problem = Problem("refused_by_database", reason)
            return self._write_batch([replace(entries[0], facts=[], problem=problem)])
        middle = len(entries) // 2
        return self.write(entries[:middle]) + self.write(entries[middle:])

    def _roll_back(self) -> None:
        self._connection.rollback()
        # What was learnt in the transaction is gone with it.
        self._symbol_ids.clear()
        self._known_instruments.clear()
        self._known_days.clear()

    def _write_batch(self, entries: Sequence[Entry]) -> Tally:
        self._tally, self._set_aside = Counter(), []
        by_type: dict[type, list[Located]] = {}
        marks: list[Mark] = []
        instruments: set[tuple[str, str | None]] = set()
        for entry in entries:
            if entry.problem is not None:
                self._quarantine(entry, entry.problem)
            elif not entry.facts:
                self._tally["message", "skipped"] += 1
            for fact in entry.facts:
                if type(fact) is Mark:
                    marks.append(fact)
                    hint = "crypto" if entry.channel == "crypto_data" else None
                    instruments.add((fact.symbol, hint))
                    continue
                by_type.setdefault(type(fact), []).append((entry, fact))
                if isinstance(fact, Fill | OrderState | Activity) and fact.symbol:
                    asset_class = getattr(fact, "asset_class", None)
                    instruments.add((fact.symbol, asset_class))
        with self._connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
            self._ensure_instruments(cursor, instruments)
            self._write_marks(cursor, marks)
            self._write_orders(cursor, by_type.get(OrderState, []))
            self._write_fills(cursor, by_type.get(Fill, []))
            self._write_events(cursor, by_type.get(TradeEvent, []))
            self._write_activities(cursor, by_type.get(Activity, []))
            self._write_dispatch(cursor, by_type, Recommendation, "recommendation")
            self._write_dispatch(cursor, by_type, Execution, "execution")
            self._write_quarantine(cursor)
        self._connection.commit()
        for entry, problem in self._set_aside:
            self._on_quarantine(entry, problem)
        return self._tally

    def _quarantine(self, entry: Entry, problem: Problem) -> None:
        self._set_aside.append((entry, problem))
        self._tally["message", "quarantined"] += 1

    def _count(self, kind: str, received: int, written: int) -> None:
        self._tally[kind, "written"] += written
        self._tally[kind, "duplicate"] += received - written

    def _ensure_instruments(
        self, cursor: Cursor, seen: set[tuple[str, str | None]]
    ) -> None:
        found = {values.instrument(symbol, hint) for symbol, hint in seen}
        new = {i for i in found if (i.symbol, i.asset_class) not in self._known_instruments}
        if not new:
            return
        # One row a symbol; the broker's word (crypto) before what the spelling says.
        rows = {i.symbol: astuple(i) for i in sorted(new, key=lambda i: i.asset_class != "crypto", reverse=True)}
        execute_values(cursor, statement("writer/ensure_instruments"), list(rows.values()))
        cursor.execute(statement("writer/instrument_ids"), {"symbols": list(rows)})
        self._symbol_ids.update(cursor.fetchall())
        self._known_instruments.update((i.symbol, i.asset_class) for i in new)

    def _write_marks(self, cursor: Cursor, marks: list[Mark]) -> None:
        if not marks:
            return
        tightest: dict[tuple[str, datetime, float], Mark] = {}
        for mark in marks:
            key = (mark.symbol, mark.observed_at, mark.price)
            other = tightest.get(key)
            if other is None or (mark.bid or 0) > (other.bid or 0):
                tightest[key] = mark
        for day in {mark.observed_at.date() for mark in tightest.values()}:
            self._ensure_day(cursor, day)
        ids = self._symbol_ids
        copy_lines(
            cursor,
            "stage_marks",
            MARK_COLUMNS,
            [
                f"{m.observed_at}\t{m.price}\t{_null(m.bid)}\t{_null(m.ask)}"
                f"\t{ids[m.symbol]}\t{m.is_usable}"
                for m in tightest.values()
            ],
        )
        cursor.execute(statement("writer/insert_marks"))
        self._count("mark", len(marks), cursor.rowcount)

    def _ensure_day(self, cursor: Cursor, day: date) -> None:
        """The partition of raw.marks for a UTC day.

        Attached rather than created in place: that takes a lock which readers of
        marks do not wait for.
        """
        if day in self._known_days:
            return
        name = f"raw.marks_{day:%Y%m%d}"
        self.touched_days.add(name)
        cursor.execute("select to_regclass(%s)", (name,))
        if cursor.fetchone() == (None,):
            cursor.execute(
                f"create table {name} (like raw.marks including defaults"
                " including constraints);"
                f" alter table raw.marks attach partition {name}"
                " for values from (%s) to (%s)",
                (f"{day}T00:00Z", f"{day + timedelta(days=1)}T00:00Z"),
            )
        self._known_days.add(day)

    def _write_orders(self, cursor: Cursor, located: list[Located]) -> None:
        if not located:
            return
        # Newest last, so that each later state only has to be compared with the first.
        located.sort(key=lambda pair: _freshness(pair[1]))
        newest: dict[tuple[str, str], tuple[OrderState, Entry]] = {}
        for entry, order in located:
            key = (order.account_name, order.order_id)
            known = newest.get(key)
            if known is not None:
                order = replace(
                    order,
                    parent_order_id=known[0].parent_order_id or order.parent_order_id,
                    legs=order.legs or known[0].legs,
                    commission=(
                        known[0].commission if order.commission is None else order.commission
                    ),
                )
            newest[key] = (order, entry)
        columns = [field.name for field in fields(OrderState)]
        copy_rows(
            cursor,
            "stage_orders",
            [*columns, "received_at", "line"],
            ((*astuple(o), e.received_at, e.line) for o, e in newest.values()),
        )
        cursor.execute(statement("writer/insert_orders"))
        self._count("order", len(newest), cursor.rowcount)
        cursor.execute(statement("writer/link_orders"))

    def _write_fills(self, cursor: Cursor, located: list[Located]) -> None:
        if not located:
            return
        ledger = self._load_ledger(cursor, [fill for _, fill in located])
        entry_of: dict[str, Entry] = {}
        for entry, fill in located:
            verdict, why = ledger.admit(fill)
            if verdict is Verdict.CONTRADICTS:
                self._quarantine(entry, Problem("contradicts_stored_fill", why))
            else:
                entry_of.setdefault(fill.event_id, entry)
                self._tally["fill", verdict.value] += 1
        self._apply_ledger(cursor, ledger, entry_of)

    def _load_ledger(self, cursor: Cursor, fills: list[Fill]) -> FillLedger:
        named = {f.event_id for f in fills} | {f.supersedes for f in fills if f.supersedes}
        event_ids = list(named)
        order_ids = list({fill.order_id for fill in fills})
        cursor.execute(
            statement("writer/known_fills"),
            {"order_ids": order_ids, "event_ids": event_ids},
        )
        stored = [StoredFill(*row) for row in cursor.fetchall()]
        cursor.execute(
            statement("writer/known_events"),
            {"fill_event_ids": [row.event_id for row in stored]},
        )
        ledger = FillLedger(stored, cursor.fetchall())
        cursor.execute(statement("writer/known_superseding"), {"event_ids": event_ids})
        ledger.expect(cursor.fetchall())
        return ledger

    def _apply_ledger(
        self, cursor: Cursor, ledger: FillLedger, entry_of: dict[str, Entry]
    ) -> None:
        if ledger.released:
            released = {"event_ids": list(ledger.released)}
            cursor.execute(statement("writer/release_events"), released)
        changed = [
            ledger.fills[event_id]
            for event_id in ledger.changed
            if event_id not in ledger.inserted
        ]
        if changed:
            cursor.execute(
                statement("writer/update_fills"),
                {
                    "event_ids": [row.event_id for row in changed],
                    "cum_qtys": [str(row.cum_qty) for row in changed],
                    "superseded_bys": [row.superseded_by for row in changed],
                },
            )
            confirmed = [r.event_id for r in changed if r.cum_qty_source == REST]
            cursor.execute(
                statement("writer/confirm_events"),
                {"event_ids": confirmed, "source": REST},
            )
        copy_rows(
            cursor,
            "stage_fills",
            FILL_COLUMNS,
            (
                _fill_row(fill, ledger.fills[event_id], entry_of[event_id])
                for event_id, fill in ledger.inserted.items()
            ),
        )
        cursor.execute(statement("writer/insert_fills"))
        if cursor.rowcount != len(ledger.inserted):
            raise ExcursionError(
                "raw.fills changed while it was written to: a program other than"
                " excursion inserts there; stop it and run again"
            )
        named = {event_id: (fill, event_id) for event_id, fill in ledger.inserted.items()}
        copy_rows(
            cursor,
            "stage_events",
            EVENT_COLUMNS,
            (
                (event_id, fill.event_type, fill.account_name, fill.order_id, fill.symbol,
                 ledger.fills[target].cum_qty_source if target == event_id else fill.source,
                 target, entry_of[event_id].line)
                for event_id, (fill, target) in {**named, **ledger.aliases}.items()
            ),
        )  # fmt: skip
        cursor.execute(statement("writer/insert_events"))
        cursor.execute("truncate stage_events")

    def _write_events(self, cursor: Cursor, located: list[Located]) -> None:
        if not located:
            return
        first: dict[str, Located] = {}
        for entry, event in located:
            first.setdefault(event.event_id, (entry, event))
        rows = (
            (v.event_id, v.event_type, v.account_name, v.order_id, v.symbol, e.channel, None, e.line)
            for e, v in first.values()
        )  # fmt: skip
        copy_rows(cursor, "stage_events", EVENT_COLUMNS, rows)
        cursor.execute(statement("writer/insert_events"))
        self._count("event", len(located), cursor.rowcount)
        cursor.execute("truncate stage_events")

    def _write_activities(self, cursor: Cursor, located: list[Located]) -> None:
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
            if known.setdefault(key, said) is said:
                new.append((entry, a))
            elif known[key] != said:
                why = f"activity {a.activity_id} ({a.status}) is stored with other values"
                self._quarantine(entry, Problem("contradicts_stored_activity", why))
            else:
                self._tally["activity", "duplicate"] += 1
        self._tally["activity", "written"] += len(new)
        columns = [field.name for field in fields(Activity)][1:]
        copy_rows(
            cursor,
            "stage_activities",
            [*columns, "received_at", "line"],
            ((*astuple(a)[1:], e.received_at, e.line) for e, a in new),
        )
        cursor.execute(statement("writer/insert_activities"))
        rows = (
            (a.event_id, a.activity_type, a.account_name, None, a.symbol, e.channel, None, e.line)
            for e, a in new
        )  # fmt: skip
        copy_rows(cursor, "stage_events", EVENT_COLUMNS, rows)
        cursor.execute(statement("writer/insert_events"))
        cursor.execute("truncate stage_events")

    def _write_dispatch(
        self,
        cursor: Cursor,
        by_type: dict[type, list[Located]],
        row_type: type[Row],
        kind: str,
    ) -> None:
        located = by_type.get(row_type, [])
        if not located:
            return
        columns = [field.name for field in fields(row_type)]
        key_column = columns[0]
        ids = list({getattr(row, key_column) for _, row in located})
        cursor.execute(statement(f"writer/known_{kind}s"), {"ids": ids})
        known: dict[str, Row] = {row[0]: row_type(*row) for row in cursor.fetchall()}
        changed: set[str] = set()
        for entry, row in located:
            key = getattr(row, key_column)
            merged, why = (row, None) if key not in known else merging.merge(known[key], row)
            if why is not None:
                why = f"{kind} {key}: {why}"
                self._quarantine(entry, Problem("contradicts_stored_dispatch", why))
            elif merged is known.get(key):
                self._tally[kind, "duplicate"] += 1
            else:
                known[key] = merged
                changed.add(key)
                self._tally[kind, "written"] += 1
        rows: Iterable[tuple[Any, ...]] = (astuple(known[key]) for key in sorted(changed))
        copy_rows(cursor, f"stage_{kind}s", columns, rows)
        cursor.execute(statement(f"writer/insert_{kind}s"))

    def _write_quarantine(self, cursor: Cursor) -> None:
        if not self._set_aside:
            return
        rows = (
            (problem.code, problem.reason, entry.channel, entry.account_name, entry.line,
             hashlib.sha256(entry.line.encode()).hexdigest(), entry.received_at)
            for entry, problem in self._set_aside
        )  # fmt: skip
        copy_rows(cursor, "stage_quarantine", QUARANTINE_COLUMNS, rows)
        cursor.execute(statement("writer/insert_quarantine"))


def _null(number: float | None) -> float | str:
    return "\\N" if number is None else number


def _freshness(order: OrderState) -> tuple[Any, ...]:
    return (order.updated_at, order.filled_qty or 0, order.status or "")


def _fill_row(fill: Fill, stored: StoredFill, entry: Entry) -> tuple[Any, ...]:
    return (
        fill.event_id, fill.kind, fill.account_name, fill.order_id, fill.client_order_id,
        fill.execution_id, fill.supersedes, stored.superseded_by, fill.symbol, fill.side,
        fill.qty, fill.price, stored.cum_qty, fill.position_qty, fill.executed_at,
        fill.source, entry.received_at, entry.line,
    )  # fmt: skip
