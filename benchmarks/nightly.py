"""What a night costs after more and more history, and that it changes nothing else.

One database grows: at each length of history everything is built anew, then day after
day is added and built as in a night, then all of it is built anew once more, which must
give the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.loading import Loader
from benchmarks.models import Built, run_dbt
from benchmarks.server import BenchmarkError, Server
from ingest.generator import MEDIUM, SMALL, Plan
from ingest.generator.sessions import trading_days

DATABASE = "nightly"

#: Days of exits that strategy_stats reads: all of it lies within the shortest history,
#: or its window would grow with the history.
LOOKBACK_DAYS = {"small": 2, "medium": 28}

#: Trading days of history, and the nights that are measured after each: some with
#: `dbt run`, then some with a whole `dbt build`. A night is seconds, and what else the
#: machine does is a fifth of it: many, for the median. Of small, which is there to find
#: wrong results, one: each start of dbt takes as long as all that it then does.
HISTORIES = {"small": (3,), "medium": (24, 48, 96, 192)}
RUNS = {"small": 1, "medium": 7}
BUILDS = {"small": 0, "medium": 3}

#: As in Dagster's run of a night: unit tests look at no data.
NIGHT = ("build", "--exclude-resource-type", "unit_test")

#: The seeds too: the first history begins with nothing. And the tests, or in the first
#: night with tests they would look at everything.
EVERYTHING = (*NIGHT, "--full-refresh")

SLOWEST = 5

#: What must be equal, as queries: the rows that people read, and those beneath them.
COMPARED = {
    "position_history": "select * from analytics.position_history",
    "active_positions": "select * from analytics.active_positions",
    "strategy_stats": """
        select to_jsonb(stats) - 'updated_at' from analytics.strategy_stats as stats
        where as_of_date = (select max(as_of_date) from analytics.strategy_stats)
    """,
    "int_legs__built": "select * from analytics_intermediate.int_legs__built",
}


@dataclass(frozen=True)
class Step:
    """One length of history; the nights are those after it, in order."""

    days: int
    marks: int
    day_marks: int
    day_lines: int
    nights: list[Built]
    builds: list[Built]
    full: Built

    @property
    def night(self) -> float:
        """Median seconds of database work of a `dbt run` after one more day."""
        return median(built.active for built in self.nights)

    @property
    def share(self) -> float:
        """A day's proportional share of a full refresh, in seconds."""
        return self.full.active / (self.days + len(self.nights) + len(self.builds))


def measure(server: Server, size: str) -> list[Step]:
    """Measure all histories of a size, in a database that is dropped again."""
    histories = HISTORIES[size]
    commands = [("run",)] * RUNS[size] + [NIGHT] * BUILDS[size]
    server.recreate(DATABASE)
    connection = server.connect(DATABASE)
    loader = Loader(connection, _plan(size, histories[-1] + len(commands)))
    steps: list[Step] = []
    days = marks = 0
    try:
        for history in histories:
            marks += loader.load(history - days)[0]
            _run(server, size, *EVERYTHING)
            done: list[Built] = []
            before = marks
            for command in commands:
                day_marks, day_lines = loader.load(1, fresh=True)
                marks += day_marks
                done.append(_run(server, size, *command))
            days = history + len(commands)
            incremental = _hashes(connection)
            full = _run(server, size, "run", "--full-refresh")
            _require_equal(incremental, _hashes(connection), days)
            runs, builds = done[: RUNS[size]], done[RUNS[size] :]
            steps.append(
                Step(history, before, day_marks, day_lines, runs, builds, full)
            )
    finally:
        connection.close()
        server.drop(DATABASE)
    return steps


def _plan(size: str, days: int) -> Plan:
    """The size's plan for so many days, and one more: on its last day it closes all."""
    plan = SMALL if size == "small" else MEDIUM
    return replace(plan, days=tuple(trading_days(plan.days[0], days + 1)))


def _run(server: Server, size: str, *arguments: str) -> Built:
    return run_dbt(server, DATABASE, *arguments, lookback_days=LOOKBACK_DAYS[size])


def _hashes(connection: Connection) -> dict[str, tuple[int, str]]:
    """Number and hash of the rows of each relation, in any order."""
    found = {}
    with connection, connection.cursor() as cursor:
        for name, query in COMPARED.items():
            cursor.execute(
                "select count(*), md5(string_agg(hash, '' order by hash))"  # noqa: S608
                f" from (select md5(rows::text) as hash from ({query}) as rows) as rows"
            )
            count, digest = cursor.fetchone() or (0, "")
            found[name] = count, str(digest)
    return found


def _require_equal(
    incremental: dict[str, tuple[int, str]],
    full: dict[str, tuple[int, str]],
    days: int,
) -> None:
    for name, (count, digest) in full.items():
        if incremental[name] != (count, digest):
            raise BenchmarkError(
                f"{name} after {days} days: {incremental[name][0]} rows built night by"
                f" night are not the {count} of a full refresh"
            )
        if not count and name != "active_positions":
            raise BenchmarkError(f"{name} is empty after {days} days")


def lines(steps: Sequence[Step]) -> list[str]:
    """The figures as Markdown."""
    first = steps[0]
    found = [
        "| history, days | marks | full refresh, s | night, s | to the first"
        " | to its share | server CPU, s | `dbt run`, s | `dbt build`, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for step in steps:
        cpu = median(built.cpu for built in step.nights)
        wall = median(built.cost.seconds for built in step.nights)
        builds = [built.cost.seconds for built in step.builds]
        build = f"{median(builds):.1f}" if builds else ""
        found.append(
            f"| {step.days} | {step.marks:,} | {step.full.active:.2f}"
            f" | {step.night:.2f} | {step.night / first.night:.2f}"
            f" | {step.night / step.share:.2f} | {cpu:.2f} | {wall:.1f}"
            f" | {build} |"
        )
    last = steps[-1]
    slowest = sorted(last.nights[-1].seconds.items(), key=lambda item: -item[1])
    models = ", ".join(f"{name} {sec:.2f} s" for name, sec in slowest[:SLOWEST])
    return [
        f"A day has about {last.day_marks:,} marks and {last.day_lines:,} lines of"
        f" fills and decisions. {len(first.nights)} nights of `dbt run` each and"
        f" {len(first.builds)} of `dbt build`, medians. After"
        " each history the rows built night by night were those of a full refresh.",
        "",
        *found,
        "",
        f"The slowest models of a night after {last.days} days, by dbt's own clock:"
        f" {models}.",
    ]
