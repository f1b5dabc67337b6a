"""Replaying recordings: file by file, in batches, with a count of what became of it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TextIO

from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.errors import ExcursionError
from ingest.maintain import settle_fresh
from ingest.migrate import require_migrated
from ingest.outcome import Tally
from ingest.parsing import parsed
from ingest.recording import (
    Entry,
    Problem,
    TruncatedRecordingError,
    read_lines,
)
from ingest.writer import Writer

# One replay at a time for a database; any number that nobody else uses.
REPLAY_LOCK = 6_120_081_003

# Large enough that the cost of a transaction does not show, small enough that an
# interrupted replay repeats little: under a second's work.
BATCH_LINES = 20_000
REPORT_SECONDS = 2.0
SHOWN_PROBLEMS = 10

# What a replay fills beside the marks; the planner must know of it at once.
SMALL_TABLES = (
    "raw.account_activities", "raw.alpaca_event_dedupe", "raw.changed_facts",
    "raw.changed_marks", "raw.dispatch_executions", "raw.dispatch_recommendations",
    "raw.fills", "raw.instruments", "raw.orders",
)  # fmt: skip


@dataclass(slots=True)
class Summary:
    """What became of the messages of a replay.

    ``tally`` counts facts by (kind, outcome); ``problems`` are the first few reasons
    for quarantine, as lines for a person.
    """

    lines: int = 0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def quarantined(self) -> int:
        return self.tally["message", "quarantined"]

    def written(self) -> int:
        """How many facts are new in the database."""
        return sum(n for (_, outcome), n in self.tally.items() if outcome == "written")


def replay(
    connection: Connection,
    paths: Iterable[str],
    *,
    wait: bool = False,
    progress: TextIO | None = None,
) -> Summary:
    """Write the recordings in turn; a second replay of the same writes nothing.

    ``wait``: queue behind a replay that is running already instead of refusing.
    Raises ExcursionError where one runs, where migrations are missing, or after the
    readable part of a damaged file was written.
    """
    require_migrated(connection)
    summary, started = Summary(), time.monotonic()
    with _only_replay(connection, wait):
        writer = Writer(connection, partial(_note, summary))
        reporter = _Reporter(progress, summary, started)
        for lines, batch in parsed(_batches(paths)):
            summary.tally += writer.write_batch(batch)
            summary.lines += lines
            reporter.report()
        _settle(connection, writer.touched_partitions)
    summary.seconds = time.monotonic() - started
    reporter.close()
    return summary


def _batches(paths: Iterable[str]) -> Iterator[list[bytes]]:
    """The lines of the recordings in batches, none of them from two files.

    What a damaged file holds up to the damage is a batch before the error.
    """
    for path in paths:
        batch: list[bytes] = []
        try:
            for line in read_lines(path):
                batch.append(line)
                if len(batch) == BATCH_LINES:
                    yield batch
                    batch = []
        except TruncatedRecordingError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch


@contextmanager
def _only_replay(connection: Connection, wait: bool) -> Iterator[None]:
    with connection.cursor() as cursor:
        call = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
        cursor.execute(f"select {call}(%s)", (REPLAY_LOCK,))
        got = cursor.fetchone()
        connection.commit()
        if got == (False,):
            raise ExcursionError(
                "another replay is writing to this database: wait until it is done"
                " (--wait queues behind it)"
            )
        try:
            yield
        finally:
            if not connection.closed:
                connection.rollback()
                cursor.execute("select pg_advisory_unlock(%s)", (REPLAY_LOCK,))
                connection.commit()


def _settle(connection: Connection, days: Collection[str]) -> None:
    """Let the planner know the new rows, and let scans of marks stay in the index."""
    connection.commit()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for partition in sorted(days):
                cursor.execute(f"vacuum (analyze) {partition}")
            cursor.execute(f"analyze {', '.join(SMALL_TABLES)}")
            settle_fresh(connection, days)
    finally:
        connection.autocommit = False


def _note(summary: Summary, entry: Entry, problem: Problem) -> None:
    if len(summary.problems) < SHOWN_PROBLEMS:
        # What a terminal would obey is not for showing.
        line = "".join(c if c.isprintable() else "?" for c in entry.line[:81])
        shown = line if len(line) <= 80 else f"{line[:77]}..."
        summary.problems.append(f"{problem.reason}: {shown}")


class _Reporter:
    """Progress on one line of a terminal; nothing where no one watches."""

    def __init__(self, stream: TextIO | None, summary: Summary, started: float) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._summary, self._started, self._last = summary, started, started

    def report(self) -> None:
        now = time.monotonic()
        if self._stream and now - self._last >= REPORT_SECONDS:
            self._last = now
            rate = self._summary.lines / (now - self._started)
            print(
                f"\r{self._summary.lines:,} lines, {rate:,.0f} a second ",
                end="",
                file=self._stream,
                flush=True,
            )

    def close(self) -> None:
        if self._stream and self._last > self._started:
            print("\r\x1b[K", end="", file=self._stream, flush=True)


def print_summary(summary: Summary, out: TextIO = sys.stdout) -> None:
    """The counts as a small table, then why messages were set aside."""
    rate = summary.lines / summary.seconds if summary.seconds else 0
    print(
        f"{summary.lines:,} lines in {summary.seconds:.1f} s ({rate:,.0f} a second)",
        file=out,
    )
    kinds = sorted({kind for kind, _ in summary.tally if kind != "message"})
    for kind in kinds:
        written, duplicate = (summary.tally[kind, o] for o in ("written", "duplicate"))
        print(
            f"  {kind:<15} {written:>12,} written {duplicate:>12,} duplicate", file=out
        )
    skipped = summary.tally["message", "skipped"]
    if skipped:
        print(f"  {'control':<15} {skipped:>12,} without a fact", file=out)
    print(f"  {'quarantined':<15} {summary.quarantined:>12,}", file=out)
    for problem in summary.problems:
        print(f"    {problem}", file=out)
    if summary.quarantined > len(summary.problems):
        print("    ... the rest is in raw.quarantine", file=out)
    if summary.written():
        print("`.venv/bin/dbt build` brings the tables up to date", file=out)
