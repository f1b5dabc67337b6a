"""Recording what the dispatcher decided, from a file or from a pipe that stays open.

A line is a recording's ``dispatch`` line or only its ``msg``. Both go through the same
parser and writer as a replay. A pipe is read as its lines come and committed at least
every second, for as long as the bot at its other end keeps it open.
"""

from __future__ import annotations

import difflib
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

import orjson
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.decision_lines import Line, Stop, filed, is_stream, piped
from ingest.errors import ExcursionError
from ingest.facts import Recommendation
from ingest.messages.dispatch import COLUMNS, unknown_columns
from ingest.migrate import require_migrated
from ingest.outcome import Tally
from ingest.recording import Entry, Problem, parse_line
from ingest.writer import Writer

CHANNEL = "dispatch"

# How long to wait for a database that went away before trying again.
RETRY_SECONDS = 1.0

# Of a file; whoever reads a pipe's notices sees each when it happens.
SHOWN_PROBLEMS = 10

# Different unknown columns that are counted by name.
NAMED_COLUMNS = 50


@dataclass(slots=True)
class Summary:
    """What became of the lines.

    ``tally`` counts as the writer does, ``quarantined`` by reason code, ``refused`` the
    lines of other channels by channel: they are stored nowhere. ``unknown`` counts the
    rows that state a column that is none, by (table, column): the rest of such a row is
    stored. ``unshown`` of the quarantined were not told of. ``featureless`` is how many
    of the recommendations stand without a features_snapshot.
    """

    lines: int = 0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    unshown: int = 0
    featureless: int = 0

    @property
    def complaint(self) -> str | None:
        """What was not kept as it was sent, and what to do; None: all was."""
        bad = self.quarantined.total() + self.refused.total()
        said = []
        if bad:
            rest = ", the rest is in raw.quarantine" if self.unshown else ""
            said.append(
                f"{bad:,} of {_counted(self.lines, 'line')}"
                f" {'was' if bad == 1 else 'were'} not written: see above{rest}"
            )
        if self.unknown:
            said.append(
                f"columns that are not known were not kept ({self.unknown_columns}):"
                " correct their names and send the rows again"
            )
        return "; ".join(said) or None

    @property
    def unknown_columns(self) -> str:
        """The unknown columns in one line, each with its number of rows."""
        by_column: Counter[str] = Counter()
        for (_, column), count in self.unknown.items():
            by_column[column] += count
        return ", ".join(
            f"{_printable(column)} ({_counted(count, 'row')})"
            for column, count in sorted(by_column.items())
        )


@dataclass(slots=True)
class Decision(Entry):
    """A line with its number, and the (table, column) that it states and are none."""

    number: int = 0
    unknown: list[tuple[str, str]] = field(default_factory=list)


def record(
    connect: Callable[[], Connection],
    path: str,
    *,
    notice: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Write the decisions in ``path``, ``-`` for standard input, to its end.

    SIGINT and SIGTERM end it early, with everything committed that was read.
    ``notice`` is told at once of each line that is set aside, of each unknown column
    once, and of a database that went away: a pipe waits for it to come back, a file
    does not. Raises ExcursionError where migrations are missing or the database is
    lost, and what read_lines raises.
    """
    intake = _Intake(connect, notice, patient=path == "-")
    started = time.monotonic()
    with Stop() as stop:
        intake.stop = stop
        lines = piped(stop) if path == "-" and is_stream() else filed(path, stop)
        for batch in lines:
            intake.write(batch)
    intake.summary.featureless = intake.count_featureless()
    intake.summary.seconds = time.monotonic() - started
    return intake.summary


def parse(raw: bytes, now: datetime, number: int = 0) -> Decision | str:
    """The entry of line ``number``, or the channel of one that is no decision.

    A bare ``msg`` was received ``now``. Its entry keeps the line as it came, so that
    one that is set aside twice is kept once.
    """
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        message, entry = None, parse_line(raw)
    else:
        if isinstance(message, dict) and "from" in message:
            channel = message["from"]
            if isinstance(channel, str) and channel != CHANNEL:
                return channel
            message, entry = message.get("msg"), parse_line(raw)
        else:
            at = now.isoformat().encode()
            line = b'{"at":"%b","from":"%b","msg":%b}' % (at, CHANNEL.encode(), raw)
            entry = parse_line(line)
    return Decision(
        raw,
        entry.received_at,
        entry.channel,
        entry.account_name,
        entry.facts,
        entry.problem,
        number,
        unknown_columns(message) if entry.problem is None else [],
    )


def print_summary(summary: Summary, out: TextIO = sys.stdout) -> None:
    """The counts as a small table."""
    lines = _counted(summary.lines, "line")
    print(f"{lines} in {summary.seconds:.1f} s", file=out)
    for kind in ("recommendation", "execution"):
        filled_in, duplicate = (
            summary.tally[kind, o] for o in ("filled_in", "duplicate")
        )
        written = summary.tally[kind, "written"] - filled_in
        print(
            f"  {kind:<15} {written:>9,} written {filled_in:>9,} filled in"
            f" {duplicate:>9,} duplicate",
            file=out,
        )
    for code, count in sorted(summary.quarantined.items()):
        print(f"  {'quarantined':<15} {count:>9,} {code}", file=out)
    for channel, count in sorted(summary.refused.items()):
        print(f"  {'refused':<15} {count:>9,} of {channel}", file=out)
    if summary.unknown:
        print(f"not known, so not kept: {summary.unknown_columns}", file=out)
    if summary.featureless:
        print(f"accepted without features_snapshot: {summary.featureless:,}", file=out)


class _Intake:
    """Lines to the database, with a connection that may be lost and found again."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        notice: Callable[[str], None],
        *,
        patient: bool,
    ) -> None:
        self.summary = Summary()
        self.stop: Stop | None = None
        self._connect, self._notice, self._patient = connect, notice, patient
        self._without_features: set[str] = set()
        self._open()

    def _open(self) -> None:
        self._connection = self._connect()
        require_migrated(self._connection)
        self._writer = Writer(self._connection, self._set_aside)

    def write(self, lines: list[Line]) -> None:
        """Commit the lines; waits for a lost database where it is to be patient."""
        now = datetime.now(UTC)
        entries: list[Decision] = []
        for number, line in lines:
            parsed = parse(line, now, number)
            if isinstance(parsed, str):
                self._refuse(number, parsed)
            else:
                entries.append(parsed)
                self._count_unknown(parsed)
        while True:
            try:
                self.summary.tally += self._writer.write(entries)
                break
            except ExcursionError as error:
                if not self._patient:
                    raise
                self._wait_for_database(error, len(entries))
        self.summary.lines += len(lines)
        for entry in entries:
            for fact in entry.facts:
                if isinstance(fact, Recommendation) and not fact.features_snapshot:
                    self._without_features.add(fact.recommendation_id)

    def count_featureless(self) -> int:
        """Of the recommendations that came without features, those still without."""
        if not self._without_features:
            return 0
        try:
            return self._count_featureless()
        except psycopg2.OperationalError:
            # Lost while nothing came: nobody would have noticed before now.
            self._open()
            return self._count_featureless()

    def _count_featureless(self) -> int:
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(
                "select count(*) from raw.dispatch_recommendations"
                " where recommendation_id = any(%s) and features_snapshot is null",
                (list(self._without_features),),
            )
            ((count,),) = cursor.fetchall()
            return int(count)

    def _wait_for_database(self, error: ExcursionError, count: int) -> None:
        # Not the error itself: it advises to run again.
        reason = str(error.__cause__ or error).partition("\n")[0]
        self._notice(f"waiting for the database to come back: {reason}")
        self._connection.close()
        while True:
            if self.stop is None or self.stop.wait(RETRY_SECONDS):
                raise ExcursionError(
                    "stopped while the database was away: the last"
                    f" {_counted(count, 'line')} that {'was' if count == 1 else 'were'}"
                    " read must be sent again"
                ) from error
            try:
                self._open()
            except ExcursionError:
                continue
            self._notice("the database is back")
            return

    def _refuse(self, number: int, channel: str) -> None:
        if channel not in self.summary.refused:
            self._notice(
                f"refused line {number:,}: {channel!r} is no decision;"
                " `excursion replay` takes whole recordings"
            )
        self.summary.refused[channel] += 1

    def _count_unknown(self, entry: Decision) -> None:
        unknown = self.summary.unknown
        for table, column in sorted(entry.unknown):
            if (table, column) not in unknown:
                if len(unknown) >= NAMED_COLUMNS:
                    unknown[table, "others"] += 1
                    continue
                near = difflib.get_close_matches(column, COLUMNS[table], 1)
                hint = f", did you mean {near[0]}?" if near else ""
                self._notice(
                    f"line {entry.number:,}: {table} has no column"
                    f" {_printable(column)}, so it is not kept{hint}"
                )
            unknown[table, column] += 1

    def _set_aside(self, entry: Entry, problem: Problem) -> None:
        self.summary.quarantined[problem.code] += 1
        if not self._patient and self.summary.quarantined.total() > SHOWN_PROBLEMS:
            self.summary.unshown += 1
            return
        number = f" line {entry.number:,}" if isinstance(entry, Decision) else ""
        self._notice(f"quarantined{number}: {problem.reason}: {_printable(entry.line)}")


def _printable(text: str) -> str:
    """At most 80 characters, none of them one that a terminal would obey."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:81])
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
