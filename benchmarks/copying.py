"""What plain COPY does with the marks that a replay stored: the yardstick.

Into a table with the same columns, key, check and partitions, in the same server.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812

COLUMNS = "ts, price, bid, ask, symbol_id, is_usable"
COPY_IN = f"copy bench.marks ({COLUMNS}) from stdin"
COPY_OUT = f"copy (select {COLUMNS} from raw.marks) to stdout"  # noqa: S608
INSERT = f"insert into bench.marks ({COLUMNS}) values (%s, %s, %s, %s, %s, %s)"  # noqa: S608
INSERTED_ROWS = 3_000

Row = tuple[datetime, float, float | None, float | None, int, bool]


def make_table(connection: Connection) -> None:
    """An empty twin of raw.marks, without the rows of an earlier round."""
    with connection, connection.cursor() as cursor:
        cursor.execute("drop schema if exists bench cascade")
        cursor.execute("create schema bench")
        cursor.execute(
            "create table bench.marks (like raw.marks including all)"
            " partition by range (ts)"
        )
        cursor.execute(
            "select relname, pg_get_expr(relpartbound, oid) from pg_class"
            " where oid in (select inhrelid from pg_inherits"
            " where inhparent = 'raw.marks'::regclass)"
        )
        for name, bound in cursor.fetchall():
            cursor.execute(
                f"create table bench.{name} partition of bench.marks {bound}"
            )


def drop_table(connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("drop schema bench cascade")


def export(connection: Connection, path: Path) -> None:
    """All marks as COPY's text, in the order in which they were recorded."""
    with connection, connection.cursor() as cursor, path.open("wb") as file:
        # Day after day, and within a day as they were stored.
        cursor.copy_expert(COPY_OUT, file, size=1 << 20)


def copy_text(connection: Connection, path: Path) -> float:
    """Seconds of one COPY of the file as it is."""
    started = time.monotonic()
    with connection, connection.cursor() as cursor, path.open("rb") as file:
        cursor.copy_expert(COPY_IN, file, size=1 << 20)
    return time.monotonic() - started


def copy_tuples(connection: Connection, path: Path, batch_rows: int) -> float:
    """Seconds of formatting tuples as COPY's text and copying them, in batches.

    To make the tuples is not counted.
    """
    seconds = 0.0
    with path.open() as file:
        for rows in _tuples(file, batch_rows):
            started = time.monotonic()
            copy_rows(connection, rows)
            seconds += time.monotonic() - started
    return seconds


def copy_rows(connection: Connection, rows: list[Row]) -> None:
    """Format one batch as COPY's text, copy it and commit."""
    text = "".join(
        [
            f"{ts.isoformat()}\t{price}\t{_field(bid)}\t{_field(ask)}"
            f"\t{symbol_id}\t{is_usable}\n"
            for ts, price, bid, ask, symbol_id, is_usable in rows
        ]
    )
    with connection, connection.cursor() as cursor:
        cursor.copy_expert(COPY_IN, io.StringIO(text))


def insert_each(connection: Connection, path: Path) -> float:
    """Rows a second of one INSERT a row, each committed, over a few thousand rows."""
    with path.open() as file:
        rows = next(_tuples(file, INSERTED_ROWS))
    connection.rollback()
    connection.autocommit = True
    started = time.monotonic()
    with connection.cursor() as cursor:
        for row in rows:
            cursor.execute(INSERT, row)
    seconds = time.monotonic() - started
    connection.autocommit = False
    return len(rows) / seconds


def _field(number: float | None) -> float | str:
    return "\\N" if number is None else number


def _tuples(lines: Iterator[str], batch_rows: int) -> Iterator[list[Row]]:
    while batch := [_row(line) for line in islice(lines, batch_rows)]:
        yield batch


def _row(line: str) -> Row:
    ts, price, bid, ask, symbol_id, is_usable = line.rstrip("\n").split("\t")
    return (
        datetime.fromisoformat(ts),
        float(price),
        None if bid == "\\N" else float(bid),
        None if ask == "\\N" else float(ask),
        int(symbol_id),
        is_usable == "t",
    )
