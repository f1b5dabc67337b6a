"""The figures as a table on the screen and as sections of docs/benchmarks.md."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Result
from benchmarks.server import BenchmarkError, Cost

Row = tuple[str, str, str]


def show(result: Result, console: Console) -> None:
    console.print(f"\n{result.machine}\n{_summary(result)}")
    table = Table("what", "figure", "ratio", title=result.size)
    for row in _rows(result):
        table.add_row(*row)
    console.print(table)


def write(result: Result, page: Path) -> None:
    """Put a size's figures between its markers; all else on the page stays."""
    lines = [f"{result.machine}.", "", _summary(result), ""]
    lines += ["| what | figure | ratio |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(result)]
    put(page, result.size, lines)


def put(page: Path, name: str, lines: list[str]) -> None:
    """Replace what stands between the page's markers of ``name``.

    Raises BenchmarkError where the page has none.
    """
    begin, end = f"<!-- figures: {name} -->", f"<!-- end: {name} -->"
    text = page.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise BenchmarkError(f"{page} has no markers {begin} and {end}")
    section = "\n".join([begin, *lines, end])
    page.write_text(pattern.sub(lambda _: section, text))


def _summary(result: Result) -> str:
    counts, rounds = result.counts, result.repeats
    return (
        f"{result.replays.lines:,} lines with {counts.marks:,} marks and"
        f" {counts.fills:,} fills; {counts.positions:,} closed positions, the same as"
        f" by a walk over the fills; {counts.marks_in_positions:,} marks lie within a"
        f" position. {rounds} {'round' if rounds == 1 else 'rounds'} of replay and"
        " COPY by turns, medians."
    )


def _rows(result: Result) -> list[Row]:
    replays, builds = result.replays, result.builds
    yardstick = replays.tuples_rate()

    def rate(what: str, per_second: float) -> Row:
        ratio = per_second / yardstick
        digits = 2 if ratio >= 0.1 else 3
        return what, f"{per_second:,.0f} rows/s", f"{ratio:.{digits}f}"

    first = max(replays.replay, key=lambda cost: cost.memory)
    server_memory = max(builds.full.server_memory, builds.again.server_memory)
    return [
        rate("COPY of the marks, formatted from Python tuples", yardstick),
        rate("COPY of the marks, text ready beforehand", replays.text_rate()),
        rate("`excursion replay` of the recording", replays.replay_rate()),
        rate("the same once more: all duplicates", replays.again_rate()),
        rate("one INSERT a mark, each committed", replays.inserts_per_second),
        ("peak memory of replay", _megabytes(first.memory), ""),
        _built("`dbt build --full-refresh`", builds.full, builds.full),
        _built("`dbt build` again", builds.again, builds.full),
        *(
            (f"full build: {node}", f"{seconds:.1f} s", _share(seconds, builds.full))
            for node, seconds in builds.slowest
        ),
        ("peak memory of dbt", _megabytes(builds.full.memory), ""),
        ("peak memory of the server during it", _megabytes(server_memory), ""),
    ]


def _built(what: str, cost: Cost, full: Cost) -> Row:
    return what, f"{cost.seconds:.1f} s", _share(cost.seconds, full)


def _share(seconds: float, full: Cost) -> str:
    return f"{seconds / full.seconds:.2f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
