"""DuckDB as a rival: two threads, and its data in its own tables beforehand."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb
from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.server import BenchmarkError

THREADS = 2
SQL = Path(__file__).parent / "sql"

#: Rows of each side that a message of a difference shows.
SHOWN = 3


class Duck:
    """A DuckDB whose tables are in a file, so that memory is bounded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "rival.duckdb"
        self._path.unlink(missing_ok=True)
        self.connection = duckdb.connect(str(self._path))
        self.connection.execute(f"set threads = {THREADS}; set timezone = 'UTC'")

    def close(self) -> None:
        self.connection.close()
        self._path.unlink(missing_ok=True)

    def copy(
        self, source: Connection, name: str, query: str, types: Mapping[str, str]
    ) -> None:
        """Make a table of what PostgreSQL answers to a query."""
        path = self._folder / f"{name}.csv"
        with path.open("wb") as file, source, source.cursor() as cursor:
            cursor.copy_expert(f"copy ({query}) to stdout (format csv)", file, 1 << 20)
        self.connection.execute(f"drop table if exists {name}")
        self.connection.execute(
            f"create table {name} as select * from read_csv(?, header = false,"  # noqa: S608
            f" columns = {dict(types)!r}, auto_detect = false, nullstr = '')",
            [str(path)],
        )
        path.unlink()

    def timed(self, name: str, query: str) -> float:
        """Seconds of making a table of a query."""
        self.connection.execute(f"drop table if exists {name}")
        started = time.perf_counter()
        self.connection.execute(f"create table {name} as {query}")
        return time.perf_counter() - started

    def timed_within(self, limit: float, name: str, query: str) -> float | None:
        """The same, or None where it was stopped after so many seconds."""
        timer = threading.Timer(limit, self.connection.interrupt)
        timer.start()
        try:
            return self.timed(name, query)
        except duckdb.InterruptException:
            return None
        finally:
            timer.cancel()

    def require_equal(self, what: str, ours: str, theirs: str) -> None:
        """Two relations of the same columns hold the same rows, as often.

        Raises BenchmarkError with some of the rows that only one of them has.
        """
        for one, other in ((ours, theirs), (theirs, ours)):
            rows = self.connection.execute(
                f"(from {one}) except all (from {other}) limit {SHOWN}"
            ).fetchall()
            if rows:
                raise BenchmarkError(f"{what}: only {one} has {rows}")

    def count(self, relation: str) -> int:
        row = self.connection.execute(f"select count(*) from {relation}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0


def script(name: str) -> str:
    """The text of a query in benchmarks/sql."""
    return (SQL / f"{name}.sql").read_text()
