"""Recording what the dispatcher decided, from a file or from a pipe that stays open.

A line is a recording's ``dispatch`` line or only its ``msg``. Both go through the same
parser and writer as a replay. A pipe is read as its lines come and committed at least
every second, for as long as the bot at its other end keeps it open.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TextIO

import orjson
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest.errors import ExcursionError, UsageError
from ingest.facts import Recommendation
from ingest.migrate import require_migrated
from ingest.outcome import Tally
from ingest.recording import GZIP_MAGIC, Entry, Problem, parse_line, read_lines
from ingest.writer import Writer

CHANNEL = "dispatch"

# A transaction holds at most this many lines, and a line waits at most this long for
# others; while nothing more comes, a fraction of it.
BATCH_LINES = 500
BATCH_SECONDS = 1.0
IDLE_SECONDS = 0.1

# How long to wait for a database that went away before trying again.
RETRY_SECONDS = 1.0

CHUNK_BYTES = 1 << 16

# After a signal what the pipe holds is read, from one that never pauses for this long.
DRAIN_SECONDS = 1.0

# Of a file; whoever reads a pipe's notices sees each when it happens.
SHOWN_PROBLEMS = 10


@dataclass(slots=True)
class Summary:
    """What became of the lines.

    ``tally`` counts as the writer does, ``quarantined`` by reason code, ``refused`` the
    lines of other channels by channel: they are stored nowhere. ``featureless`` is how
    many of the recommendations stand without a features_snapshot.
    """

    lines: int = 0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    featureless: int = 0


def record(
    connect: Callable[[], Connection],
    path: str,
    *,
    notice: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Write the decisions in ``path``, ``-`` for standard input, to its end.

    SIGINT and SIGTERM end it early, with everything committed that was read.
    ``notice`` is told at once of each line that is set aside, and of a database that
    went away: a pipe waits for it to come back, a file does not. Raises ExcursionError
    where migrations are missing or the database is lost, and what read_lines raises.
    """
    intake = _Intake(connect, notice, patient=path == "-")
    started = time.monotonic()
    with _Stop() as stop:
        intake.stop = stop
        lines = _piped(stop) if path == "-" and _is_stream() else _filed(path, stop)
        for batch in lines:
            intake.write(batch)
    intake.summary.featureless = intake.count_featureless()
    intake.summary.seconds = time.monotonic() - started
    return intake.summary


def parse(raw: bytes, now: datetime) -> Entry | str:
    """The entry of a line, or the channel of one that is no decision.

    A bare ``msg`` was received ``now``. Its entry keeps the line as it came, so that
    one that is set aside twice is kept once.
    """
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return parse_line(raw)
    if isinstance(message, dict) and "from" in message:
        channel = message["from"]
        is_decision = channel == CHANNEL or not isinstance(channel, str)
        return parse_line(raw) if is_decision else channel
    at = now.isoformat().encode()
    line = b'{"at":"%b","from":"%b","msg":%b}' % (at, CHANNEL.encode(), raw)
    return replace(parse_line(line), raw=raw)


def print_summary(summary: Summary, out: TextIO = sys.stdout) -> None:
    """The counts as a small table."""
    print(f"{summary.lines:,} lines in {summary.seconds:.1f} s", file=out)
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
        self.stop: _Stop | None = None
        self._connect, self._notice, self._patient = connect, notice, patient
        self._without_features: set[str] = set()
        self._open()

    def _open(self) -> None:
        self._connection = self._connect()
        require_migrated(self._connection)
        self._writer = Writer(self._connection, self._set_aside)

    def write(self, lines: list[bytes]) -> None:
        """Commit the lines; waits for a lost database where it is to be patient."""
        now = datetime.now(UTC)
        parsed = [parse(line, now) for line in lines]
        entries = [entry for entry in parsed if isinstance(entry, Entry)]
        for channel in parsed:
            if isinstance(channel, str):
                self._refuse(channel)
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
        self._notice(f"waiting for the database to come back: {error}")
        self._connection.close()
        while True:
            if self.stop is None or self.stop.wait(RETRY_SECONDS):
                raise ExcursionError(
                    f"stopped while the database was away: {count} lines that were read"
                    " are not written, send them again"
                ) from error
            try:
                self._open()
            except ExcursionError:
                continue
            self._notice("the database is back")
            return

    def _refuse(self, channel: str) -> None:
        if channel not in self.summary.refused:
            self._notice(
                f"refused: a line of {channel!r} is no decision;"
                " `excursion replay` takes whole recordings"
            )
        self.summary.refused[channel] += 1

    def _set_aside(self, entry: Entry, problem: Problem) -> None:
        self.summary.quarantined[problem.code] += 1
        if not self._patient and self.summary.quarantined.total() > SHOWN_PROBLEMS:
            return
        # What a terminal would obey is not for showing.
        line = "".join(c if c.isprintable() else "?" for c in entry.line[:81])
        shown = line if len(line) <= 80 else f"{line[:77]}..."
        self._notice(f"quarantined: {problem.reason}: {shown}")


class _Stop:
    """SIGINT and SIGTERM as something to wait for beside a pipe.

    A signal only makes ``fd`` readable: what is being written to the database is
    written to its end.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self.asked_at = 0.0

    def __enter__(self) -> _Stop:
        self.fd, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._before = {
            number: signal.signal(number, self._ask)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_end)

    def wait(self, seconds: float) -> bool:
        """Whether it was asked for, now or within ``seconds``."""
        if not self.is_asked:
            select.select([self.fd], [], [], seconds)
        return self.is_asked

    def _ask(self, number: int, frame: object) -> None:
        if not self.is_asked:
            self.is_asked, self.asked_at = True, time.monotonic()
            os.write(self._write_end, b"!")


def _is_stream() -> bool:
    """Whether standard input can make a reader wait."""
    return not stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)


def _is_cut(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return False


def _filed(path: str, stop: _Stop) -> Iterator[list[bytes]]:
    """The lines of a file, plain or gzipped, in batches."""
    batch: list[bytes] = []
    try:
        for line in read_lines(path):
            batch.append(line)
            if len(batch) == BATCH_LINES:
                yield batch
                batch = []
                if stop.is_asked:
                    return
    except ExcursionError:
        # A damaged file: what came before is written first.
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _piped(stop: _Stop) -> Iterator[list[bytes]]:
    """The lines of standard input in batches, as soon as a pause or the clock ends one.

    After a signal what is in the pipe already is read and no more; the half of a line
    that its writer was still at is then left to it.
    """
    source = sys.stdin.fileno()
    batch: list[bytes] = []
    rest, begun, is_first = b"", 0.0, True
    while True:
        timeout = None
        if batch:
            due = begun + BATCH_SECONDS - time.monotonic()
            timeout = max(0.0, min(IDLE_SECONDS, due))
        ready, _, _ = select.select(
            [source] if stop.is_asked else [source, stop.fd], [], [],
            0 if stop.is_asked else timeout,
        )  # fmt: skip
        chunk = os.read(source, CHUNK_BYTES) if source in ready else None
        if chunk and is_first and chunk.startswith(GZIP_MAGIC):
            raise UsageError("standard input is compressed: zcat FILE | ... -")
        is_first = is_first and chunk is None
        if chunk:
            *lines, rest = (rest + chunk).split(b"\n")
            if not batch:
                begun = time.monotonic()
            batch += [line for line in map(bytes.strip, lines) if line]
        is_over = chunk == b"" or (
            stop.is_asked
            and (chunk is None or time.monotonic() - stop.asked_at >= DRAIN_SECONDS)
        )
        if chunk == b"" and rest.strip() and not (stop.is_asked and _is_cut(rest)):
            batch.append(rest.strip())
        while len(batch) >= BATCH_LINES:
            yield batch[:BATCH_LINES]
            batch, begun = batch[BATCH_LINES:], time.monotonic()
        is_due = chunk is None or time.monotonic() - begun >= BATCH_SECONDS
        if batch and (is_over or is_due):
            yield batch
            batch = []
        if is_over:
            return
