"""A real Postgres for the tests: one server, one template, a clone for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

import ingest.replay
from ingest import config, embedded
from ingest.database import connect
from ingest.migrate import migrate

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

#: A superuser's URL of a server to test against instead of an embedded one.
SERVER_VARIABLE = "EXCURSION_TEST_URL"

#: What decides where excursion connects to: nothing of it may reach a test.
LEAKING = (
    *("DATABASE_URL", "EXCURSION_STATE_DIR", "EXCURSION_DEBUG"),
    *("EXCURSION_DBT_THREADS",),
)


def scrub(environ: dict[str, str]) -> dict[str, str]:
    """The environment without what points at a database or changes the program."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("PG") and name not in LEAKING
    }


@dataclass(frozen=True)
class Database:
    """A database of one test.

    Attributes:
        url: libpq URL, as ``DATABASE_URL`` would state it.
        name: Its name on the server.
    """

    url: str
    name: str

    def connect(self) -> Connection:
        """Open a connection as the program does: UTC, autocommit off."""
        return connect(config.load({"DATABASE_URL": self.url}))

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement, on a connection of its own."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql, tuple(parameters))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement and commit."""
        with closing(self.connect()) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, tuple(parameters))

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a child process that is to use this database."""
        return {**scrub(dict(os.environ)), "DATABASE_URL": self.url, **more}


class Server:
    """The server of a test session, with a migrated template to clone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)
        # Several sessions, and the workers of one, may share a server.
        self._prefix = f"excursion_test_{os.getpid()}"
        self._template = self._create("template0", "template")
        with closing(self._template.connect()) as connection:
            migrate(connection)

    def url(self, name: str) -> str:
        """URL of another database of this server."""
        return _with_database(self._url, name)

    def named(self, suffix: str) -> Database:
        """The database that `created` and `cloned` make with that suffix."""
        name = f"{self._prefix}_{suffix}"
        return Database(self.url(name), name)

    def created(
        self, *, migrated: bool = True, suffix: str | None = None
    ) -> AbstractContextManager[Database]:
        """A new database, migrated or without any table; dropped at the end.

        ``suffix``: the end of its name, which else is a number that no other has.
        """
        source = self._template.name if migrated else "template0"
        return self._copied(source, suffix)

    def cloned(
        self, database: Database, *, suffix: str | None = None
    ) -> AbstractContextManager[Database]:
        """A copy of a database that nobody is connected to; dropped at the end."""
        return self._copied(database.name, suffix)

    def close(self) -> None:
        self._drop(self._template)

    @contextmanager
    def _copied(self, source: str, suffix: str | None) -> Iterator[Database]:
        database = self._create(source, suffix or str(next(self._numbers)))
        try:
            yield database
        finally:
            self._drop(database)

    def _create(self, source: str, suffix: str) -> Database:
        database = self.named(suffix)
        self._administer(f'create database "{database.name}" template "{source}"')
        return database

    def _drop(self, database: Database) -> None:
        # Whoever is still connected.
        self._administer(f'drop database if exists "{database.name}" with (force)')

    def _administer(self, sql: str) -> None:
        # Not through a transaction: databases are made and dropped outside of one.
        with closing(psycopg2.connect(self._url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)


@contextmanager
def running_server() -> Iterator[Server]:
    """The server that the environment names, else an embedded one, gone afterwards.

    Each pytest-xdist worker has an embedded server of its own: half a second each,
    and nothing to lock, to count or to leave behind.
    """
    given = os.environ.get(SERVER_VARIABLE, "").strip()
    if given:
        with closing(Server(given)) as server:
            yield server
        return
    # Short, so that the socket fits; not pytest's folder, which may be deep.
    state_dir = Path(tempfile.mkdtemp(prefix="excursion-tests-"))
    settings = config.load({"EXCURSION_STATE_DIR": str(state_dir)})
    try:
        embedded.start(settings)
        _hurry(settings)
        with closing(Server(settings.dsn)) as server:
            yield server
    finally:
        embedded.stop(settings)
        shutil.rmtree(state_dir)
        shutil.rmtree(settings.socket_dir, ignore_errors=True)


def _hurry(settings: config.Settings) -> None:
    """Let the server forget about power failures: no test pulls the plug."""
    with closing(connect(settings)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("alter system set fsync = off")
            cursor.execute("select pg_reload_conf()")


def _with_database(url: str, name: str) -> str:
    if "://" not in url:
        return str(make_dsn(**{**parse_dsn(url), "dbname": name}))
    address, question, query = url.partition("?")
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{name}{question}{query}"


def replay(
    database: Database,
    recording: Sequence[str] | Sequence[Path],
    folder: Path,
    *,
    batch_lines: int | None = None,
) -> ingest.replay.Summary:
    """Replay recordings (paths) or lines into the database, in this process.

    ``batch_lines``: how many lines make a transaction; small, to cross the borders
    between batches often. ``folder`` is for the lines, written as a recording.
    """
    paths = [str(part) for part in recording if isinstance(part, Path)]
    lines = [part for part in recording if isinstance(part, str)]
    if lines:
        handle, path = tempfile.mkstemp(suffix=".jsonl", dir=folder)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.writelines(f"{line}\n" for line in lines)
        paths.append(path)
    size = batch_lines or ingest.replay.BATCH_LINES
    with closing(database.connect()) as connection:
        with mock.patch.object(ingest.replay, "BATCH_LINES", size):
            return ingest.replay.replay(connection, paths)
