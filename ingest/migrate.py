"""Numbered plain-SQL migrations of the raw schema.

Each file is one transaction together with its bookkeeping row. "Done" is said only
after looking into the catalog: the tables, columns and constraints that the files
promise must be there, or the migration has failed, whatever it reported.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.errors import ExcursionError

# One migration at a time for a database; any number that nobody else uses.
MIGRATION_LOCK = 6_120_081_002

BOOKKEEPING = """
create schema if not exists raw;
create table if not exists raw.schema_migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);
comment on table raw.schema_migrations is 'One row per applied migration.';
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered file and the sha256 of its text."""

    version: int
    name: str
    sql: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ``migrate`` did and saw: versions applied now, and all that are in place."""

    applied: list[str]
    in_place: int
    tables: int
    constraints: int


class NotMigratedError(ExcursionError):
    """The database lacks migrations, or has others than this program knows."""


def packaged() -> list[Migration]:
    """The migrations that come with this version, in order."""
    found = []
    for file in files("ingest.sql").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if match:
            sql = file.read_text(encoding="utf-8")
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            found.append(Migration(int(match[1]), match[2], sql, checksum))
    return sorted(found, key=lambda migration: migration.version)


def migrate(connection: Connection) -> Outcome:
    """Apply what is missing and check the result. Safe to run again, and twice at once.

    Raises ExcursionError where a file fails, an applied file was changed afterwards,
    the database is newer than this program, or the catalog is not as promised.
    """
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        connection.commit()
        try:
            cursor.execute(BOOKKEEPING)
            connection.commit()
            done = _applied(connection)
            _refuse_strangers(done)
            new = [m for m in packaged() if m.version not in done]
            for migration in new:
                _apply(connection, migration)
        finally:
            connection.rollback()
            cursor.execute("select pg_advisory_unlock(%s)", (MIGRATION_LOCK,))
            connection.commit()
    require_migrated(connection)
    tables, constraints = inspect(connection)
    names = [f"{m.version:04d}_{m.name}" for m in new]
    return Outcome(names, len(packaged()), tables, constraints)


def require_migrated(connection: Connection) -> None:
    """Raise NotMigratedError unless exactly this program's migrations are in place."""
    done = _applied(connection)
    _refuse_strangers(done)
    missing = [m for m in packaged() if m.version not in done]
    if missing:
        raise NotMigratedError(
            f"the database lacks {len(missing)} of {len(packaged())} migrations:"
            " run `excursion migrate`"
        )


def inspect(connection: Connection) -> tuple[int, int]:
    """Look into the catalog for everything that the migrations create.

    Returns how many tables and constraints were found in place; raises NotMigratedError
    naming the first one that is missing or not validated.
    """
    text = "\n".join(m.sql for m in packaged())
    tables = re.findall(r"^create table (raw\.\w+)", text, re.M)
    constraints = re.findall(r"add constraint (\w+)", text)
    functions = re.findall(
        r"^create (?:function|aggregate) (raw\.\w+)", text, re.MULTILINE
    )
    indexes = re.findall(r"^create (?:unique )?index (\w+)", text, re.MULTILINE)
    with connection, connection.cursor() as cursor:
        for table in tables:
            cursor.execute("select to_regclass(%s) is not null", (table,))
            _require(cursor.fetchone(), f"table {table}")
        for index in indexes:
            cursor.execute("select to_regclass(%s) is not null", (f"raw.{index}",))
            _require(cursor.fetchone(), f"index raw.{index}")
        for function in functions:
            cursor.execute(
                "select exists (select from pg_proc where oid::regproc::text = %s)",
                (function,),
            )
            _require(cursor.fetchone(), f"function {function}")
        for constraint in constraints:
            cursor.execute(
                "select exists (select from pg_constraint where conname = %s"
                " and convalidated and connamespace = 'raw'::regnamespace)",
                (constraint,),
            )
            _require(cursor.fetchone(), f"validated constraint {constraint}")
    return len(tables), len(constraints)


def _require(found: tuple[object, ...] | None, what: str) -> None:
    if found != (True,):
        raise NotMigratedError(
            f"the migrations are on record but {what} is not in the database:"
            " restore it from a backup, or migrate into an empty database"
        )


def _applied(connection: Connection) -> dict[int, str]:
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('raw.schema_migrations') is not null")
        if cursor.fetchone() != (True,):
            return {}
        cursor.execute("select version, checksum from raw.schema_migrations")
        return dict(cursor.fetchall())


def _refuse_strangers(done: dict[int, str]) -> None:
    known = {m.version: m for m in packaged()}
    for version, checksum in sorted(done.items()):
        if version not in known:
            raise NotMigratedError(
                f"the database has migration {version:04d}, which this version of"
                " excursion does not know: upgrade excursion"
            )
        if known[version].checksum != checksum:
            raise NotMigratedError(
                f"migration {version:04d} was changed after it had been applied:"
                " put the file back as it was and add a new one"
            )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(migration.sql)
            cursor.execute(
                "insert into raw.schema_migrations (version, name, checksum)"
                " values (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
    except psycopg2.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise ExcursionError(
            f"migration {migration.version:04d}_{migration.name} failed and was rolled"
            f" back: {reason}"
        ) from error
