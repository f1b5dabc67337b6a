"""The project's own SQL: built by dbt, then each model's query timed on the server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.machine import cpu_seconds
from benchmarks.server import BenchmarkError, Cost, Server

SCHEMA = "bench"


@dataclass(frozen=True)
class Built:
    """A run of dbt.

    ``active`` are seconds in which sessions executed statements
    (pg_stat_database.active_time; a parallel worker's own time is not in it),
    ``cpu`` those of processor time of all server processes. ``seconds`` by model are
    dbt's own; ``queries`` the compiled SQL of each model; ``parents`` what a model
    reads, ``stored`` the models that are tables, and ``settings`` what a model sets
    for its transaction (hooks in SQL; those that are macros set nothing in a full build
    that its query depends on).
    """

    cost: Cost
    active: float
    cpu: float
    seconds: dict[str, float] = field(repr=False)
    queries: dict[str, str] = field(repr=False)
    parents: dict[str, list[str]] = field(repr=False)
    stored: set[str] = field(repr=False)
    settings: dict[str, list[str]] = field(repr=False)

    def between(self, first: str, last: str) -> list[str]:
        """The tables on all ways from a model to another one, which is the last."""
        found: list[str] = []

        @cache
        def leads_here(model: str) -> bool:
            if model == first:
                return True
            ways = [leads_here(parent) for parent in self.parents.get(model, [])]
            if any(ways) and model in self.stored and model not in found:
                found.append(model)
            return any(ways)

        if not leads_here(last) or last not in found:
            raise BenchmarkError(f"there is no way from {first} to a table {last}")
        return found


def run_dbt(server: Server, database: str, *arguments: str, **variables: Any) -> Built:
    """Run dbt on a database of the server: ``build --full-refresh`` and the like."""
    root = str(server.settings.root)
    where = ["--project-dir", root, "--profiles-dir", root]
    if variables:
        where += ["--vars", json.dumps(variables)]
    server.settle()
    active, cpu = active_seconds(server, database), cpu_seconds(server.pid)
    cost = server.run(database, "dbt", *arguments, *where)
    cpu = cpu_seconds(server.pid) - cpu
    active = active_seconds(server, database) - active
    results = json.loads((server.target(database) / "run_results.json").read_text())
    seconds, queries = {}, {}
    for node in results["results"]:
        kind, _, name = node["unique_id"].split(".", 2)
        seconds[name if kind == "model" else node["unique_id"]] = node["execution_time"]
        if kind == "model":
            queries[name] = node["compiled_code"]
    return Built(cost, active, cpu, seconds, queries, *_graph(server.target(database)))


def _graph(
    target: Path,
) -> tuple[dict[str, list[str]], set[str], dict[str, list[str]]]:
    """The parents of each model, the models that are tables, and their settings."""
    manifest = json.loads((target / "manifest.json").read_text())
    parents, stored, settings = {}, set(), {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            names = [name.split(".")[-1] for name in node["depends_on"]["nodes"]]
            parents[node["name"]] = names
            if node["config"]["materialized"] in ("table", "incremental"):
                stored.add(node["name"])
            hooks = [hook["sql"] for hook in node["config"]["pre-hook"]]
            settings[node["name"]] = [sql for sql in hooks if sql.startswith("set ")]
    return parents, stored, settings


def active_seconds(server: Server, database: str) -> float:
    """What the sessions of a database that ended so far spent in statements."""
    connection = server.connect("postgres")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select active_time / 1000 from pg_stat_database where datname = %s",
            (database,),
        )
        row = cursor.fetchone()
    connection.close()
    if row is None:
        raise BenchmarkError(f"there are no statistics of the database {database}")
    return float(row[0])


def timed(
    connection: Connection, built: Built, models: Sequence[str]
) -> dict[str, float]:
    """Seconds of each model's query as a table of its own, without index or analyze.

    As in a full refresh: CREATE TABLE AS, which may use parallel workers. A model reads
    the tables that were made of those before it, with the indexes and statistics that
    dbt gives them, and for the rest what dbt built.
    """
    seconds: dict[str, float] = {}
    for model in models:
        query = built.queries.get(model)
        if query is None:
            raise BenchmarkError(f"dbt did not build {model}")
        for earlier in seconds:
            query = _of_dbt(earlier).sub(f"{SCHEMA}.{earlier}", query)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"create schema if not exists {SCHEMA}")
            cursor.execute(f"drop table if exists {SCHEMA}.{model}")
        with connection, connection.cursor() as cursor:
            for setting in built.settings[model]:
                cursor.execute(setting)
            started = time.perf_counter()
            cursor.execute(f"create table {SCHEMA}.{model} as {query}")
            seconds[model] = time.perf_counter() - started
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select indexdef from pg_indexes where schemaname like 'analytics%%'"
                " and tablename = %s",
                (model,),
            )
            for (definition,) in cursor.fetchall():
                columns = definition.partition(" USING ")[2]
                cursor.execute(f"create index on {SCHEMA}.{model} using {columns}")
            cursor.execute(f"analyze {SCHEMA}.{model}")
    return seconds


def _of_dbt(model: str) -> re.Pattern[str]:
    """How dbt names the table of a model in the SQL that it runs."""
    return re.compile(rf'"[^"]+"\."[^"]+"\."{model}"')


def plan_of(connection: Connection, query: str) -> str:
    """How the server would run a query, where that is in question."""
    with connection, connection.cursor() as cursor:
        cursor.execute(f"explain create table {SCHEMA}.planned as {query}")
        return "\n".join(line for (line,) in cursor.fetchall())


def workers(plan: str) -> int:
    """The parallel workers that a plan asks for, at its most."""
    return max(map(int, re.findall(r"Workers Planned: (\d+)", plan)), default=0)
