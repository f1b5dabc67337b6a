"""A recording of one size replayed, beside plain COPY of the marks that it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import copying
from benchmarks.figures import Figure, megabytes, ratio, table
from benchmarks.machine import description
from benchmarks.server import BenchmarkError, Cost, Server
from benchmarks.sizes import Progress, Size
from ingest.generator import PLANS, generate
from ingest.replay import BATCH_LINES

DATABASE = "replayed"


@dataclass
class Replays:
    """Costs of each round. ``lines`` are those of marks, ``all_lines`` all of them."""

    machine: str
    lines: int = 0
    all_lines: int = 0
    marks: int = 0
    whole: Cost | None = None
    replay: list[Cost] = field(default_factory=list)
    text: list[float] = field(default_factory=list)
    tuples: list[float] = field(default_factory=list)
    again: list[Cost] = field(default_factory=list)
    inserts_per_second: float = 0.0

    def report(self) -> list[str]:
        """The figures as Markdown."""
        yardstick = self.marks / median(self.tuples)

        def rate(what: str, per_second: float) -> Figure:
            return Figure(
                what, f"{per_second:,.0f} rows/s", ratio(per_second / yardstick)
            )

        def replayed(costs: list[Cost]) -> float:
            return self.lines / median(cost.seconds for cost in costs)

        rounds = len(self.replay)
        memory = max(cost.memory for cost in self.replay)
        return [
            f"{self.machine}.",
            "",
            f"{self.marks:,} marks. {rounds} {'round' if rounds == 1 else 'rounds'} of"
            " replay and COPY by turns, medians.",
            "",
            *table(
                [
                    rate("COPY of the marks, formatted from Python tuples", yardstick),
                    rate(
                        "COPY of the marks, text ready beforehand",
                        self.marks / median(self.text),
                    ),
                    rate("`excursion replay` of the marks", replayed(self.replay)),
                    rate("the same once more: all duplicates", replayed(self.again)),
                    rate(
                        f"`excursion replay` of all {self.all_lines:,} lines, with"
                        " fills and decisions",
                        self.all_lines / self.whole.seconds if self.whole else 0,
                    ),
                    rate("one INSERT a mark, each committed", self.inserts_per_second),
                    Figure("peak memory of replay", megabytes(memory)),
                ]
            ),
        ]


def measure(server: Server, size: Size, repeats: int, progress: Progress) -> list[str]:
    """Measure in a database that is dropped again; the figures as Markdown."""
    connection = server.connect("postgres")
    replays = Replays(description(connection))
    connection.close()
    recording, marks = server.folder / "marks.jsonl", server.folder / "marks.txt"
    whole = server.folder / "whole.jsonl"
    try:
        progress("writing the recording")
        replays.lines, replays.all_lines = _record(size, recording, whole)
        for number in range(1, repeats + 1):
            progress(f"replay and COPY, round {number} of {repeats}")
            _round(server, recording, marks, replays)
        progress("replaying all of it once more")
        server.settle()
        replays.again.append(
            server.run(DATABASE, "excursion", "replay", str(recording))
        )
        progress("replaying it with fills and decisions")
        server.recreate(DATABASE)
        server.settle()
        replays.whole = server.run(DATABASE, "excursion", "replay", str(whole))
        if (stored := _stored(server)) != replays.marks or stored < size.least_marks:
            raise BenchmarkError(
                f"{stored} marks are stored, COPY took {replays.marks}"
            )
    finally:
        recording.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)
        marks.unlink(missing_ok=True)
        server.drop(DATABASE)
    return replays.report()


def _record(size: Size, path: Path, whole: Path) -> tuple[int, int]:
    """Write the lines of market data, and all lines; returns how many there are."""
    marks = lines = 0
    with path.open("wb") as file, whole.open("wb") as all_of_them:
        for line in generate(PLANS[size.name]):
            all_of_them.write(line)
            lines += 1
            if b'_data","msg":' in line[:70]:
                file.write(line)
                marks += 1
    return marks, lines


def _round(server: Server, recording: Path, marks: Path, replays: Replays) -> None:
    """Replay, then COPY of the same marks in both ways, on one fresh database."""
    server.recreate(DATABASE)
    server.settle()
    replays.replay.append(server.run(DATABASE, "excursion", "replay", str(recording)))
    connection = server.connect(DATABASE)
    try:
        if not marks.exists():
            copying.export(connection, marks)
            replays.marks = _stored(server)
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


def _stored(server: Server) -> int:
    connection = server.connect(DATABASE)
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from raw.marks")
        (count,) = cursor.fetchone() or (0,)
    connection.close()
    return int(count)
