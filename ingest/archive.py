"""Archiving days of marks: to a file, to the user's command, and only then dropped.

The file is a recording, so that what brings the marks back is what reads any other. It
is read back and compared before it is handed over. A day is dropped in one transaction
that looks once more whether it is as it was when it was read; so a process killed at
any instant leaves the day where it was, or dropped with its row in raw.archived_marks.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.errors import ExcursionError, UsageError
from ingest.facts import Mark
from ingest.maintain import Day, days
from ingest.recording import read_entries
from ingest.replay import replay
from ingest.sql import statement
from ingest.writer import WRITER_LOCK

CHANNELS = {
    "us_equity": "stock_data",
    "us_option": "option_data",
    "crypto": "crypto_data",
}

# How long a drop may wait for readers of raw.marks: others queue behind it meanwhile.
LOCK_SECONDS = 5
ROWS_A_FETCH = 20_000


@dataclass(frozen=True, slots=True)
class Archived:
    """A day that is now in a file; ``part``: see raw.archived_marks."""

    utc_day: date
    part: int
    marks: int
    sha256: str

    @property
    def file_name(self) -> str:
        return f"marks-{self.utc_day}-{self.part}.jsonl.gz"


def archive(
    connection: Connection, before: date, command: str, folder: Path
) -> Iterator[Archived]:
    """Archive every day before a date, the oldest first; each when it is done.

    ``command``: words as in a shell, in which {file} and {day} are filled in; it has
    to end with 0, and the file goes away afterwards. Call it within
    only_maintenance(). Raises ExcursionError where a day is still needed, or the
    command fails; the day is then as it was.
    """
    words = _words(command)
    _require_unneeded(connection, before)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"cannot use {folder}: {error.strerror}") from None
    for day in days(connection):
        if day.utc_day >= before:
            break
        part = _next_part(connection, day)
        path = folder / Archived(day.utc_day, part, 0, "").file_name
        digest, written = _write(connection, day, path)
        _require_readable(path, written)
        archived = Archived(day.utc_day, part, written.count, _sha256(path))
        _hand_over(words, path, day)
        _drop(connection, day, archived, digest)
        path.unlink(missing_ok=True)
        yield archived


def restore(connection: Connection, path: Path) -> Archived:
    """Write an archived file's marks again, and look whether all of them are there."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    sha256 = _sha256(path)
    with connection.cursor() as cursor:
        cursor.execute(
            "select utc_day, part, marks from raw.archived_marks where sha256 = %s",
            (sha256,),
        )
        row = cursor.fetchone()
    if row is None:
        raise ExcursionError(
            f"{path} is no file of an archived day (raw.archived_marks lists their"
            " sha256): a recording is written with `excursion replay`"
        )
    utc_day, part, marks = row
    archived = Archived(utc_day, part, marks, sha256)
    connection.autocommit = False
    # What a second time finds nothing to write of is stored.
    replay(connection, [str(path)])
    again = replay(connection, [str(path)])
    if again.written() or again.quarantined:
        raise ExcursionError(f"not every mark of {path} could be stored")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("delete from raw.archived_marks where sha256 = %s", (sha256,))
    return archived


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--archive-command: {error}".lower()) from None
    if not any("{file}" in word for word in words):
        raise UsageError("--archive-command must hold {file}: cp {file} /archive/")
    return words


def _require_unneeded(connection: Connection, before: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement("maintain/archive_limits"), {"before": before})
        [(changes, is_built, newest_day)] = cursor.fetchall()
        if changes or not is_built:
            raise ExcursionError(
                "the position models have not seen everything that is stored: run"
                " `dbt build` before archiving"
            )
        cursor.execute(statement("maintain/open_since"))
        [(open_since,)] = cursor.fetchall()
    if newest_day is not None and before > newest_day:
        raise UsageError(
            f"--archive-before: {newest_day} is the newest day with marks, and the"
            " latest that can be told"
        )
    if open_since is not None and before > open_since:
        raise ExcursionError(
            "positions that are open need their marks: --archive-before can be"
            f" {open_since} at most"
        )


def _next_part(connection: Connection, day: Day) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(max(part), 0) + 1 from raw.archived_marks"
            " where utc_day = %s",
            (day.utc_day,),
        )
        [(part,)] = cursor.fetchall()
    return int(part)


@dataclass(slots=True)
class _Told:
    """How many marks, and a digest of them in their order."""

    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, mark: tuple[Any, ...]) -> None:
        self.count += 1
        self.digest.update(repr(tuple(mark)).encode())


def _write(connection: Connection, day: Day, path: Path) -> tuple[Any, _Told]:
    """Write the day's marks to a file; returns the server's digest of them, and ours.

    Both are of one snapshot.
    """
    told = _Told()
    unfinished = path.with_suffix(".tmp")
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
        digest = _digest(connection, day)
        with (
            unfinished.open("wb") as file,
            gzip.GzipFile("", "wb", 6, file, mtime=0) as zipped,
            connection.cursor("archived") as rows,
        ):
            rows.itersize = ROWS_A_FETCH
            rows.execute(
                "select asset_class, symbol, ts, price, bid, ask, is_usable"  # noqa: S608
                f" from {day.name} left join raw.instruments using (symbol_id)"
                " order by ts, symbol_id, price"
            )
            for asset_class, *mark in rows:
                told.add(tuple(mark))
                zipped.write(_line(asset_class, *mark) + b"\n")
            zipped.close()
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise ExcursionError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = True
    return digest, told


def _line(
    asset_class: str | None,
    symbol: str,
    ts: Any,
    price: float,
    bid: float | None,
    ask: float | None,
    _: bool,
) -> bytes:
    message: dict[str, Any] = {"T": "t", "S": symbol, "t": ts, "p": price}
    if bid is not None:
        message = {"T": "q", "S": symbol, "t": ts, "bp": bid, "ap": ask}
    channel = CHANNELS.get(asset_class or "")
    entry = {"at": ts, "from": channel, "msg": message}
    return orjson.dumps(entry, option=orjson.OPT_UTC_Z)


def _require_readable(path: Path, written: _Told) -> None:
    read = _Told()
    for entry in read_entries(str(path)):
        for fact in entry.facts:
            if isinstance(fact, Mark):
                read.add(fact)
    if read.digest.digest() != written.digest.digest():
        raise ExcursionError(
            f"{path} read back is not what is stored ({read.count:,} of"
            f" {written.count:,} marks): nothing was dropped"
        )


def _hand_over(words: list[str], path: Path, day: Day) -> None:
    filled = [
        word.replace("{file}", str(path)).replace("{day}", str(day.utc_day))
        for word in words
    ]
    try:
        done = subprocess.run(filled, stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise UsageError(
            f"--archive-command: cannot run {filled[0]}: {error.strerror}"
        ) from None
    if done.returncode != 0:
        raise ExcursionError(
            f"the archive command ended with {done.returncode} for {day.utc_day}:"
            f" nothing of that day was dropped, its file is {path}"
        )


def _drop(connection: Connection, day: Day, archived: Archived, digest: Any) -> None:
    """Drop a day that is still what was archived, and say so in raw.archived_marks."""
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'")
            # Nobody writes a mark, nor notes a change, until this is over.
            cursor.execute("select pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
        if _digest(connection, day) != digest:
            raise ExcursionError(
                f"late marks of {day.utc_day} came while it was archived: nothing of"
                " that day was dropped; archive it again"
            )
        _require_unneeded(connection, day.utc_day + timedelta(days=1))
        with connection.cursor() as cursor:
            # Not detached concurrently: that would be two transactions, and between
            # them a day that is neither here nor gone.
            cursor.execute(f"drop table {day.name}")
            cursor.execute(
                statement("maintain/record_archived"),
                {
                    "utc_day": archived.utc_day,
                    "part": archived.part,
                    "marks": archived.marks,
                    "sha256": archived.sha256,
                },
            )
        connection.commit()
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s) is null", (day.name,))
            if cursor.fetchone() != (True,):
                raise ExcursionError(f"{day.name} is still there after it was dropped")
    except psycopg2.errors.LockNotAvailable:
        raise ExcursionError(
            f"raw.marks is in use by a long query: nothing of {day.utc_day} was"
            " dropped; archive it again later"
        ) from None
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = True


def _digest(connection: Connection, day: Day) -> Any:
    """What changes with any row that is added, changed or deleted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*), sum(hash_record_extended(marks, 0)::numeric)"  # noqa: S608
            f" from {day.name} as marks"
        )
        return cursor.fetchone()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
