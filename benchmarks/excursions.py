"""MFE and MAE with their first instants, from legs and marks, in several engines.

The project's own SQL, DuckDB in several forms, Polars, a pandas loop over positions,
and as a floor a serial scan of the marks that computes nothing of use. All of them must
find exactly the same; a form of DuckDB that takes too long is stopped, and said to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from statistics import median

import numpy as np
from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks import pandas_loop, polars_asof, rivaldata
from benchmarks.duck import Duck, script
from benchmarks.figures import Figure, ratio
from benchmarks.models import SCHEMA, Built, plan_of, timed, workers
from benchmarks.rivaldata import Columns
from benchmarks.server import BenchmarkError

LEGS, DERIVED = "int_legs__built", "int_positions__derived"
FOUND = "int_positions__excursions_found"
COLUMNS = ("position", "mfe", "mfe_at", "mae", "mae_at")

#: The forms by how the page calls them: script, and the table of marks that they read.
FORMS = {
    "DuckDB, range join": ("duckdb_range", "marks_sorted"),
    "DuckDB, range join within hours": ("duckdb_range_hours", "marks"),
    "DuckDB, range join within hours, marks sorted": (
        "duckdb_range_hours",
        "marks_sorted",
    ),
    "DuckDB, ASOF per symbol": ("duckdb_asof", "marks_sorted"),
    "DuckDB, ASOF on symbol and time as one key": ("duckdb_asof_key", "marks_sorted"),
}
BEST = "DuckDB's best"

#: Those that are not tuned to how long legs are held.
GENERAL = [name for name in FORMS if "within hours" not in name]

#: A form is stopped after so many seconds, or times what the best one took so far.
LEAST_LIMIT, TIMES_BEST = 20.0, 20

#: Positions that the pandas loop walks, about: it takes milliseconds for each.
SAMPLE = 2_000

#: Symbol and instant in one number: microseconds since 1970 take 51 bits until 2041.
KEY = "symbol_id::bigint << 51 | epoch_us({})"


def compare(
    connection: Connection, built: Built, duck: Duck, repeats: int
) -> list[Figure]:
    """All figures as medians of so many repeats, rivals and ours by turns."""
    # What the positions themselves need as well is measured with them.
    others = built.between(LEGS, DERIVED)
    models = [model for model in built.between(LEGS, FOUND) if model not in others]
    rivaldata.number_positions(connection)
    legs = rivaldata.legs(connection)
    _load(connection, duck, legs)
    frame = polars_asof.Marks(rivaldata.marks_by_partition(connection))
    ours: list[float] = []
    scans: list[float] = []
    polars: list[float] = []
    forms: dict[str, list[float]] = {name: [] for name in FORMS}
    stopped: dict[str, float] = {}
    found: Columns = {}
    for number in range(repeats):
        scans.append(_scan(connection))
        ours.append(sum(timed(connection, built, models).values()))
        if not number:
            found = rivaldata.excursions(connection, f"{SCHEMA}.{FOUND}")
        for name in [name for name in FORMS if name not in stopped]:
            limit = _limit(forms)
            seconds = _duckdb(duck, name, found, limit)
            if seconds is None:
                stopped[name] = limit
            else:
                forms[name].append(seconds)
        seconds = _timed(lambda: polars_asof.excursions(legs, frame), "Polars", found)
        polars.append(seconds)
    pandas, walked = _pandas(legs, frame, found)
    best = _fastest(forms, FORMS)
    general = _fastest(forms, GENERAL)
    count, marks = len(found["position"]), frame.count

    def figure(what: str, seconds: float) -> Figure:
        return Figure.of(what, seconds, best, marks, "marks")

    named = " + ".join(f"`{model}`" for model in models)
    parallel = max(
        workers(plan_of(connection, built.queries[model])) for model in models
    )
    figures = [
        figure(f"ours: {named}, {parallel} workers at most", median(ours)),
        figure(BEST, best),
    ]
    for name, times in forms.items():
        if name in stopped:
            limit = stopped[name]
            figures.append(Figure(name, f"stopped after {limit:.0f} s", ""))
        else:
            figures.append(figure(name, median(times)))
    sample = "" if walked == count else f" (of {walked:,} positions, extrapolated)"
    return [
        *figures,
        figure("Polars, join_asof", median(polars)),
        figure(f"pandas, a loop over positions{sample}", pandas * count / walked),
        figure("serial scan: max and min of the marks", median(scans)),
        Figure(
            "ours to the faster of ASOF and the plain range join",
            "",
            ratio(median(ours) / general),
        ),
        Figure("ours to the serial scan", "", ratio(median(ours) / median(scans))),
    ]


def _load(connection: Connection, duck: Duck, legs: Columns) -> None:
    run = duck.connection.execute
    run(
        f"create table legs as select *, {KEY.format('starts')} as key_starts,"  # noqa: S608
        f" {KEY.format('ends')} as key_ends from legs"
    )
    run("create table marks (symbol_id integer, ts timestamp, price double)")
    for columns in rivaldata.marks_by_partition(connection):
        duck.connection.register("columns", columns)
        run("insert into marks select * from columns")
        duck.connection.unregister("columns")
    run(
        f"create table marks_sorted as select *, {KEY.format('ts')} as key"  # noqa: S608
        " from marks order by symbol_id, ts"
    )
    run("checkpoint")


def _fastest(forms: dict[str, list[float]], names: Iterable[str]) -> float:
    return min(median(forms[name]) for name in names if forms[name])


def _limit(forms: dict[str, list[float]]) -> float:
    best = min((min(times) for times in forms.values() if times), default=0)
    return max(LEAST_LIMIT, TIMES_BEST * best)


def _duckdb(duck: Duck, name: str, found: Columns, limit: float) -> float | None:
    form, marks = FORMS[name]
    reduced = script(form).format(marks=marks)
    query = script("duckdb_winners").format(reduced=reduced, marks=marks)
    seconds = duck.timed_within(limit, "excursions", query)
    if seconds is not None:
        rows = duck.connection.execute("from excursions order by position")
        _require_equal(name, rows.fetchnumpy(), found)
    return seconds


def _timed(find: Callable[[], Columns], name: str, found: Columns) -> float:
    started = time.perf_counter()
    theirs = find()
    seconds = time.perf_counter() - started
    _require_equal(name, theirs, found)
    return seconds


def _pandas(
    legs: Columns, frame: polars_asof.Marks, found: Columns
) -> tuple[float, int]:
    """Seconds of the loop, and over how many positions: all, or some all over."""
    every = max(1, len(found["position"]) // SAMPLE)
    chosen = {name: column[::every] for name, column in found.items()}
    loop = pandas_loop.Loop(legs, frame.by_symbol(), chosen["position"])
    return _timed(loop.excursions, "pandas", chosen), len(chosen["position"])


def _scan(connection: Connection) -> float:
    with connection, connection.cursor() as cursor:
        cursor.execute("set local max_parallel_workers_per_gather = 0")
        started = time.perf_counter()
        cursor.execute("select max(price), min(price) from raw.marks")
        cursor.fetchall()
        return time.perf_counter() - started


def _require_equal(name: str, theirs: Columns, ours: Columns) -> None:
    """All columns of all positions, exactly."""
    for column in COLUMNS:
        if not np.array_equal(theirs[column], ours[column]):
            count = len(theirs[column])
            where = (
                np.flatnonzero(theirs[column] != ours[column]).tolist()
                if count == len(ours[column])
                else []
            )
            raise BenchmarkError(
                f"{name} finds another {column} than the project's SQL:"
                f" {count} positions, differing at {where[:3]}"
            )
