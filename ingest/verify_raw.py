"""What the raw schema promises: migrations, constraints, facts, each of them once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from ingest import migrate
from ingest.errors import ExcursionError
from ingest.facts import Mark
from ingest.recording import Entry, parse_line
from ingest.sql import statement
from ingest.writer import Writer

#: How many fills, events and symbols are written again. The whole of a small database;
#: of a large one enough to meet every kind of message, in about a second.
SAMPLE = 500


class BrokenPromiseError(ExcursionError):
    """A promise that does not hold; the message is the evidence."""


def require(holds: bool, evidence: str) -> None:
    """Raise BrokenPromiseError with the evidence unless it holds."""
    if not holds:
        raise BrokenPromiseError(evidence)


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun, and whatever follows that has a number too."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def one_row(connection: Connection, name: str, **parameters: Any) -> Any:
    """The only row of ``reports/<name>.sql``, its columns as attributes."""
    rows = all_rows(connection, name, **parameters)
    require(len(rows) == 1, f"{name} gave {len(rows)} rows")
    return rows[0]


def all_rows(connection: Connection, name: str, **parameters: Any) -> list[Any]:
    """The rows of ``reports/<name>.sql``, their columns as attributes."""
    with connection.cursor() as cursor:
        cursor.execute(statement(f"reports/{name}"), parameters)
        assert cursor.description is not None
        row_type = NamedTuple("Row", [(c.name, Any) for c in cursor.description])  # type: ignore[misc]
        return [row_type(*values) for values in cursor.fetchall()]


def migrations(connection: Connection) -> str:
    """Exactly this program's migrations, and in the catalog what they create."""
    migrate.require_migrated(connection)
    tables, validated = migrate.inspect(connection)
    count = len(migrate.packaged())
    return (
        f"{count} of {count} in place; seen in the catalog: {tables} tables,"
        f" {validated} validated constraints, and every index and function"
    )


def constraints(connection: Connection) -> str:
    """Every CHECK is validated, and refuses a bad row that is offered to it."""
    found = all_rows(connection, "verify_checks")
    require(
        bool(found), "the raw schema has no CHECK constraints: run `excursion migrate`"
    )
    pending = [check.conname for check in found if not check.convalidated]
    require(not pending, f"not validated: {', '.join(pending)}")
    accepting = []
    for check in found:
        try:
            refused_by = _offer_bad_row(connection, check.conname)
        except FileNotFoundError:
            raise BrokenPromiseError(
                f"no bad row is known for {check.conname}"
            ) from None
        if refused_by != check.conname:
            accepting.append(f"{check.conname} ({refused_by or 'took the row'})")
    require(not accepting, f"bad rows are not refused by: {', '.join(accepting)}")
    return (
        f"{len(found)} CHECKs validated; each refused a bad row that was offered to it"
    )


def _offer_bad_row(connection: Connection, name: str) -> str | None:
    """Insert a row that only this constraint forbids; returns what refused it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement(f"reports/refused/{name}"))
    except psycopg2.errors.CheckViolation as error:
        return error.diag.constraint_name
    except psycopg2.IntegrityError as error:
        return f"refused by {error.diag.constraint_name} instead"
    finally:
        connection.rollback()
    return None


def facts(connection: Connection) -> str:
    """There is something to derive positions from."""
    found = one_row(connection, "verify_facts")
    require(
        found.fills > 0,
        "the database has no fills: replay a recording first (`excursion replay FILE`)",
    )
    require(found.has_marks, "there are fills and no marks: MFE and MAE need them")
    return (
        f"{counted(found.fills, 'fill')} of {counted(found.accounts, 'account')},"
        f" {found.first_day} to {found.last_day};"
        f" about {counted(found.marks, 'mark')},"
        f" {counted(found.activities, 'activity', 'activities')},"
        f" {counted(found.executions, 'dispatched order')};"
        f" {counted(found.quarantined, 'message')} in quarantine"
    )


def idempotency(connection: Connection) -> str:
    """What is stored is not stored again, and nothing stands there twice."""
    found = one_row(connection, "verify_dedupe")
    require(found.live_fills > 0, "nothing to write again: replay a recording first")
    require(
        not found.without_event,
        counted(found.without_event, "fill has", "fills have") + " no dedupe row",
    )
    require(
        not found.repeated,
        counted(found.repeated, "triple", "triples")
        + " of (account, order, cum_qty) occurring more than once",
    )
    require(
        not found.nowhere,
        counted(found.nowhere, "dedupe row points", "dedupe rows point")
        + " to no fill",
    )
    messages = [
        parse_line(line.encode())
        for (line,) in all_rows(connection, "verify_sample_messages", limit=SAMPLE)
    ]
    now = datetime.now(UTC)
    marks = [
        Entry(b"", now, "stock_data", None, [Mark(*values)])
        for values in all_rows(connection, "verify_sample_marks", limit=SAMPLE // 10)
    ]
    connection.rollback()
    unreadable = [entry.problem.reason for entry in messages if entry.problem]
    require(
        not unreadable,
        f"{counted(len(unreadable), 'stored message')} cannot be read again:"
        f" {unreadable[:1]}",
    )
    tally, touched = _write_again(connection, [*messages, *marks])
    written = sum(n for (_, outcome), n in tally.items() if outcome != "duplicate")
    said = ", ".join(
        f"{n:,} {kind} {outcome}"
        for (kind, outcome), n in sorted(tally.items())
        if outcome not in ("duplicate", "skipped")
    )
    again = (
        f"{counted(len(messages), 'stored message')} and {counted(len(marks), 'mark')}"
        " written again"
    )
    require(
        written == 0 and touched == 0,
        f"{again} changed {counted(touched, 'row')}"
        f" ({said.strip() or 'no fact counted'})",
    )
    return (
        f"{again}: 0 rows changed (rolled back); {found.live_fills:,} live fills, each"
        " with its dedupe row and once per (account, order, cum_qty); 0 dedupe rows"
        " point nowhere"
    )


class _Uncommitted:
    """A connection whose commits wait for a rollback: what is tried leaves nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def cursor(self) -> Cursor:
        return self._connection.cursor()

    def commit(self) -> None:
        """Keep the transaction open."""

    def rollback(self) -> None:
        self._connection.rollback()

    def __enter__(self) -> _Uncommitted:
        return self

    def __exit__(self, *error: object) -> None:
        """Keep the transaction open."""


def _write_again(
    connection: Connection, entries: list[Entry]
) -> tuple[dict[tuple[str, str], int], int]:
    """Write entries in a transaction that is rolled back.

    Returns:
        The writer's own count, and how many rows of the raw schema the server counted
        as inserted, updated or deleted meanwhile.
    """
    try:
        writer = Writer(cast(Connection, _Uncommitted(connection)))
        # The server still counts what this session did before.
        before = one_row(connection, "verify_touched").touched
        tally = writer.write(entries)
        touched = one_row(connection, "verify_touched").touched - before
    finally:
        connection.rollback()
    return dict(tally), touched
