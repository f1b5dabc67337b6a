"""The benchmark's own server and databases, and commands with what they cost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.machine import proportional_memory
from ingest import config, embedded

SAMPLE_SECONDS = 0.25


class BenchmarkError(Exception):
    """The measurement cannot go on, or measured nothing; the message is one line."""


@dataclass(frozen=True)
class Cost:
    """What a command took: wall clock, its peak memory and the server's, in bytes."""

    seconds: float
    memory: int
    server_memory: int


@dataclass(frozen=True)
class Server:
    """A running embedded server in a folder of its own, gone at the end."""

    settings: config.Settings
    pid: int

    @property
    def folder(self) -> Path:
        return self.settings.state_dir

    def url(self, database: str) -> str:
        host = self.settings.socket_dir
        return f"postgresql://{config.EMBEDDED_USER}@/{database}?host={host}"

    def connect(self, database: str) -> Connection:
        connection: Connection = psycopg2.connect(self.url(database))
        return connection

    def target(self, database: str) -> Path:
        """Where dbt leaves what it made: with another database it parses all anew."""
        return self.folder / "target" / database

    def environment(self, database: str) -> dict[str, str]:
        """For a command on a database, with dbt's output beside the server's data."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DBT_"))}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # dbt would start 1.5 s slower
        return {
            **kept,
            "DATABASE_URL": self.url(database),
            "EXCURSION_STATE_DIR": str(self.folder),
            "DBT_TARGET_PATH": str(self.target(database)),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }

    def recreate(self, database: str) -> None:
        """An empty database with the raw schema."""
        self.drop(database)
        self._maintain(f"create database {database}")
        self.run(database, "excursion", "migrate")

    def copy(self, database: str, into: str) -> None:
        """A database with all that another one has, to which nobody is connected."""
        self.drop(into)
        # The other strategy writes each page to the log, and these are gigabytes.
        self._maintain(f"create database {into} template {database} strategy file_copy")

    def drop(self, database: str) -> None:
        self._maintain(f"drop database if exists {database} with (force)")

    def _maintain(self, statement: str) -> None:
        connection = self.connect("postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def settle(self) -> None:
        """Write out what earlier work left, so that it does not burden the next."""
        self._maintain("checkpoint")

    def run(self, database: str, program: str, *arguments: str) -> Cost:
        """Run a program of this environment to its end; it must succeed."""
        command = [str(Path(sys.executable).with_name(program)), *arguments]
        with tempfile.TemporaryFile() as output, watched(self.pid) as server_peak:
            started = time.monotonic()
            process = subprocess.Popen(
                command,
                cwd=self.settings.root,
                env=self.environment(database),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                with watched(process.pid) as peak:
                    process.wait()
            except BaseException:
                process.kill()
                raise
            seconds = time.monotonic() - started
            if process.returncode:
                output.seek(0)
                last = output.read().decode(errors="replace").strip()[-2000:]
                raise BenchmarkError(f"`{program} {arguments[0]}` failed: {last}")
        return Cost(seconds, peak[0], server_peak[0])


@contextmanager
def watched(pid: int) -> Iterator[list[int]]:
    """Sample a process tree's memory; the list's one element is the largest so far."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while True:
            peak[0] = max(peak[0], proportional_memory(pid))
            if done.wait(SAMPLE_SECONDS):
                break

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


@contextmanager
def running_server() -> Iterator[Server]:
    """A server in a temporary folder, stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="excursion-bench-"))
    environ = {"EXCURSION_STATE_DIR": str(folder)}
    settings = config.load(environ)
    try:
        pid = embedded.start(settings).pid
        if pid is None:
            raise BenchmarkError("the embedded server started without a process")
        yield Server(settings, pid)
    finally:
        embedded.stop(settings)
        shutil.rmtree(folder, ignore_errors=True)
