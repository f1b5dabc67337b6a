"""One size from recording to statistics, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import checks, copying
from benchmarks.machine import description
from benchmarks.server import BenchmarkError, Cost, Server
from ingest.generator import PLANS, generate
from ingest.replay import BATCH_LINES

SLOWEST = 5

#: What a size promises, and what its files need at the worst, in bytes.
LEAST_MARKS = {"small": 900_000, "medium": 18_000_000}
LEAST_POSITIONS = {"small": 9_000, "medium": 90_000}
DISK = {"small": 2 * 10**9, "medium": 20 * 10**9}

Progress = Callable[[str], None]


@dataclass
class Replays:
    """Seconds of each round; the rows of COPY are marks, those of replay lines."""

    lines: int = 0
    marks: int = 0
    replay: list[Cost] = field(default_factory=list)
    text: list[float] = field(default_factory=list)
    tuples: list[float] = field(default_factory=list)
    again: list[Cost] = field(default_factory=list)
    inserts_per_second: float = 0.0

    def replay_rate(self) -> float:
        return self.lines / median(cost.seconds for cost in self.replay)

    def again_rate(self) -> float:
        return self.lines / median(cost.seconds for cost in self.again)

    def text_rate(self) -> float:
        return self.marks / median(self.text)

    def tuples_rate(self) -> float:
        return self.marks / median(self.tuples)


@dataclass
class Builds:
    """Two runs of ``dbt build``: everything from nothing, then once more."""

    full: Cost
    again: Cost
    slowest: list[tuple[str, float]]  # nodes of the full build, seconds


@dataclass
class Result:
    """All figures of a size."""

    size: str
    machine: str
    repeats: int
    replays: Replays
    builds: Builds
    counts: checks.Counts


def measure(server: Server, size: str, repeats: int, progress: Progress) -> Result:
    """Measure a size in databases of its own, which are dropped again."""
    connection = server.connect("postgres")
    machine = description(connection)
    connection.close()
    recording, marks = server.folder / "recording.jsonl", server.folder / "marks.txt"
    try:
        progress("writing the recording")
        replays = Replays(lines=_record(size, recording))
        for number in range(1, repeats + 1):
            progress(f"replay and COPY, round {number} of {repeats}")
            _round(server, recording, marks, replays)
        marks.unlink()
        progress("replaying all of it once more")
        server.settle()
        replays.again.append(
            server.run("measured", "excursion", "replay", str(recording))
        )
        recording.unlink()
        progress("dbt build, twice")
        builds = _builds(server)
        progress("counting")
        connection = server.connect("measured")
        counts = checks.counted(connection, LEAST_MARKS[size], LEAST_POSITIONS[size])
        connection.close()
        if replays.marks != counts.marks:
            raise BenchmarkError(f"COPY took {replays.marks} marks of {counts.marks}")
    finally:
        recording.unlink(missing_ok=True)
        marks.unlink(missing_ok=True)
        server.drop("measured")
    return Result(size, machine, repeats, replays, builds, counts)


def _record(size: str, path: Path) -> int:
    lines = 0
    with path.open("wb") as file:
        for line in generate(PLANS[size]):
            file.write(line)
            lines += 1
    return lines


def _round(server: Server, recording: Path, marks: Path, replays: Replays) -> None:
    """Replay, then COPY of the same marks in both ways, on one fresh database."""
    server.recreate("measured")
    server.settle()
    replays.replay.append(server.run("measured", "excursion", "replay", str(recording)))
    connection = server.connect("measured")
    try:
        if not marks.exists():
            copying.export(connection, marks)
            with connection.cursor() as cursor:
                cursor.execute("select count(*) from raw.marks")
                (replays.marks,) = cursor.fetchone() or (0,)
            connection.rollback()
        copying.make_table(connection)
        server.settle()
        replays.text.append(copying.copy_text(connection, marks))
        copying.make_table(connection)
        server.settle()
        replays.tuples.append(copying.copy_tuples(connection, marks, BATCH_LINES))
        if not replays.inserts_per_second:
            copying.make_table(connection)
            replays.inserts_per_second = copying.insert_each(connection, marks)
        copying.drop_table(connection)
    finally:
        connection.close()


def _builds(server: Server) -> Builds:
    root = str(server.settings.root)
    where = ("--project-dir", root, "--profiles-dir", root)
    server.settle()
    full = server.run("measured", "dbt", "build", "--full-refresh", *where)
    results = json.loads((server.folder / "target/run_results.json").read_text())
    seconds = {
        node["unique_id"].removeprefix("model.excursion."): node["execution_time"]
        for node in results["results"]
    }
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    server.settle()
    again = server.run("measured", "dbt", "build", *where)
    return Builds(full, again, slowest)
