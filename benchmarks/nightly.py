"""What a night costs after more and more history, and that it changes nothing else.

Each length of history has a database, in which everything is built anew. Then day after
day is added and built as in a night, in one database after the other. Then all is built
anew once more, which must give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from statistics import median

from benchmarks.loading import Day, Loader, days_of
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

#: Nights with nothing new, after them: what a night costs whatever the day brought.
IDLE = {"small": 0, "medium": 3}

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


@dataclass
class Step:
    """A length of history in a database of its own, and the nights after it.

    ``ahead`` are the days of the nights, ``loaded`` how many marks and lines they had;
    ``idle`` are those with nothing new; ``full`` the seconds of database work of a full
    refresh after the last of them.
    """

    database: str
    days: int
    marks: int
    ahead: list[Day]
    loaded: list[tuple[int, int]] = field(default_factory=list)
    nights: list[Built] = field(default_factory=list)
    builds: list[Built] = field(default_factory=list)
    idle: list[Built] = field(default_factory=list)
    full: float = 0

    @property
    def night(self) -> float:
        """Median seconds of database work of a `dbt run` after one more day."""
        return median(built.active for built in self.nights)

    @property
    def share(self) -> float:
        """A day's proportional share of a full refresh, in seconds."""
        return self.full / (self.days + len(self.loaded))


def measure(server: Server, size: str) -> list[Step]:
    """Measure all histories of a size, in databases that are dropped again."""
    commands = [("run",)] * RUNS[size] + [NIGHT] * BUILDS[size]
    plan = _plan(size, HISTORIES[size][-1] + len(commands))
    steps: list[Step] = []
    try:
        for step in _histories(server, size, plan, len(commands)):
            steps.append(step)
            _run(server, step.database, size, *EVERYTHING)
        # By turns: within the half hour that all of it takes, the same machine has been
        # twice as fast at the one end as at the other.
        for number, command in enumerate(commands):
            for step in steps:
                with _loader(server, step.database, plan) as loader:
                    step.loaded.append(loader.load([step.ahead[number]], fresh=True))
                done = step.nights if number < RUNS[size] else step.builds
                done.append(_run(server, step.database, size, *command))
        for _ in range(IDLE[size]):
            for step in steps:
                step.idle.append(_run(server, step.database, size, "run"))
        incremental = [_hashes(server, step.database) for step in steps]
        for step, before in zip(steps, incremental, strict=True):
            step.full = _run(
                server, step.database, size, "run", "--full-refresh"
            ).active
            _require_equal(before, _hashes(server, step.database), step.days)
    finally:
        for days in HISTORIES[size]:
            server.drop(f"{DATABASE}_{days}")
    return steps


def _histories(server: Server, size: str, plan: Plan, nights: int) -> Iterator[Step]:
    """A database for each length of history: a copy of the shorter one that grew."""
    days = days_of(plan)
    steps: list[Step] = []
    ahead: list[Day] = []
    loaded = marks = 0
    for history in HISTORIES[size]:
        database = f"{DATABASE}_{history}"
        if steps:
            server.copy(steps[-1].database, database)
        else:
            server.recreate(database)
        with _loader(server, database, plan) as loader:
            rest = islice(days, history - loaded - len(ahead))
            marks += loader.load(chain(ahead, rest))[0]
        loaded = history
        # Those of this history's nights, and the first by which the next one grows.
        ahead = list(islice(days, nights))
        steps.append(Step(database, history, marks, ahead))
        yield steps[-1]


@contextmanager
def _loader(server: Server, database: str, plan: Plan) -> Iterator[Loader]:
    connection = server.connect(database)
    try:
        yield Loader(connection, plan)
    finally:
        connection.close()


def _plan(size: str, days: int) -> Plan:
    """The size's plan for so many days, and one more: on its last day it closes all."""
    plan = SMALL if size == "small" else MEDIUM
    return replace(plan, days=tuple(trading_days(plan.days[0], days + 1)))


def _run(server: Server, database: str, size: str, *arguments: str) -> Built:
    return run_dbt(server, database, *arguments, lookback_days=LOOKBACK_DAYS[size])


def _hashes(server: Server, database: str) -> dict[str, tuple[int, str]]:
    """Number and hash of the rows of each relation, in any order."""
    found = {}
    connection = server.connect(database)
    with closing(connection), connection, connection.cursor() as cursor:
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
        " | to its share | nothing new, s | the day alone to its share"
        " | server CPU, s | `dbt run`, s | `dbt build`, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for step in steps:
        cpu = median(built.cpu for built in step.nights)
        wall = median(built.cost.seconds for built in step.nights)
        builds = [built.cost.seconds for built in step.builds]
        build = f"{median(builds):.1f}" if builds else ""
        idle = alone = ""
        if step.idle:
            seconds = median(built.active for built in step.idle)
            idle = f"{seconds:.2f}"
            alone = f"{(step.night - seconds) / step.share:.2f}"
        found.append(
            f"| {step.days} | {step.marks:,} | {step.full:.2f}"
            f" | {step.night:.2f} | {step.night / first.night:.2f}"
            f" | {step.night / step.share:.2f} | {idle}"
            f" | {alone} | {cpu:.2f} | {wall:.1f} | {build} |"
        )
    last = steps[-1]
    day_marks, day_lines = last.loaded[-1]
    slowest = sorted(last.nights[-1].seconds.items(), key=lambda item: -item[1])
    models = ", ".join(f"{name} {sec:.2f} s" for name, sec in slowest[:SLOWEST])
    return [
        f"A day has about {day_marks:,} marks and {day_lines:,} lines of fills and"
        f" decisions. {len(first.nights)} nights of `dbt run` each,"
        f" {len(first.builds)} of `dbt build` and {len(first.idle)} of `dbt run` with"
        " nothing new, the histories by turns, medians. After"
        " each history the rows built night by night were those of a full refresh.",
        "",
        *found,
        "",
        f"The slowest models of a night after {last.days} days, by dbt's own clock:"
        f" {models}.",
    ]
