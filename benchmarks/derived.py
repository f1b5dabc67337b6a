"""One size loaded and built, then the project's SQL beside its rivals, part by part."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import checks, excursions, openpositions, positions, stats
from benchmarks.duck import Duck
from benchmarks.figures import Figure, megabytes, table
from benchmarks.loading import load_plan
from benchmarks.machine import description
from benchmarks.models import Built, run_dbt
from benchmarks.server import Server, watched
from benchmarks.sizes import Progress, Size
from ingest.generator import PLANS

DATABASE = "derived"
PARTS = ("excursions", "positions", "stats", "open")
SLOWEST = 5

Compare = Callable[..., list[Figure]]
TITLES: dict[str, tuple[str, Compare]] = {
    "excursions": ("excursions from legs and marks", excursions.compare),
    "positions": ("positions from fills", positions.compare),
    "stats": ("statistics from positions", stats.compare),
}


def measure(
    server: Server, size: Size, parts: list[str], repeats: int, progress: Progress
) -> list[str]:
    """Measure in a database that is dropped again; the figures as Markdown."""
    connection = server.connect("postgres")
    machine = description(connection)
    connection.close()
    plan = PLANS[size.name]
    try:
        progress("loading")
        server.recreate(DATABASE)
        load_plan(server.url(DATABASE), plan)
        progress("dbt build")
        built = run_dbt(
            server,
            DATABASE,
            "build",
            "--full-refresh",
            lookback_days=stats.LOOKBACK_DAYS,
        )
        connection = server.connect(DATABASE)
        counts = checks.counted(connection, size.least_marks, size.least_positions)
        lines = [f"{machine}.", "", _summary(counts, repeats), "", *_build(built)]
        peak = built.cost.server_memory
        for part in [part for part in TITLES if part in parts]:
            progress(part)
            title, compare = TITLES[part]
            duck = Duck(server.folder)
            try:
                with watched(server.pid) as memory:
                    figures = compare(connection, built, duck, repeats)
            finally:
                duck.close()
            peak = max(peak, *memory)
            lines += ["", *table(figures, title)]
        if "open" in parts:
            progress("open")
            figures = openpositions.compare(server, DATABASE, connection, plan)
            lines += ["", *table(figures, "open positions")]
        connection.close()
    finally:
        server.drop(DATABASE)
    return [*lines, "", f"The server's peak memory in all of this: {megabytes(peak)}."]


def _summary(counts: checks.Counts, repeats: int) -> str:
    return (
        f"{counts.marks:,} marks and {counts.fills:,} fills; {counts.positions:,}"
        " closed positions, the same as by a walk over the fills;"
        f" {counts.marks_in_positions:,} marks lie within a position. Medians of"
        f" {repeats}. All engines found the same."
    )


def _build(built: Built) -> list[str]:
    slowest = sorted(built.seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    whole = built.cost.seconds
    return table(
        [
            Figure("`dbt build --full-refresh`, with tests", f"{whole:.1f} s", "1.00"),
            Figure("work of the sessions in it", f"{built.active:.1f} s"),
            Figure("processor time of the server in it", f"{built.cpu:.1f} s"),
            *(
                Figure(f"in it: {name}", f"{seconds:.1f} s", f"{seconds / whole:.2f}")
                for name, seconds in slowest
            ),
            Figure("peak memory of dbt", megabytes(built.cost.memory)),
        ],
        "everything from nothing",
    )
