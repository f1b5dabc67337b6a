"""``excursion verify``: looks whether what the system promises is so, here and now.

Each promise is a function that looks into the database and says what it saw, or raises
BrokenPromiseError. Nothing is believed that can be tried, and everything that is tried
is rolled back. A promise that cannot be looked at, because a table is missing or the
server refuses, is a failed one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest import verify_marts, verify_raw
from ingest.errors import ExcursionError

#: A promise waits this long for a lock that somebody else holds, then it fails.
LOCK_TIMEOUT = "30s"

#: Percent of recommended entries that must have their features.
MIN_COVERAGE = Decimal(95)

Check = Callable[[Connection], str]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one promise; ``evidence`` is what was seen, or what is wrong."""

    promise: str
    passed: bool
    evidence: str


def verify(
    connection: Connection, *, min_coverage: Decimal = MIN_COVERAGE
) -> Iterator[Result]:
    """Look at one promise after the other; changes nothing in the database."""

    def features(connection: Connection) -> str:
        return verify_marts.features(connection, min_coverage)

    promises: tuple[tuple[str, Check], ...] = (
        ("migrations", verify_raw.migrations),
        ("constraints", verify_raw.constraints),
        ("facts", verify_raw.facts),
        ("idempotency", verify_raw.idempotency),
        ("executions", verify_marts.executions),
        ("quantities", verify_marts.quantities),
        ("profit", verify_marts.profit),
        ("bounds", verify_marts.bounds),
        ("excursions", verify_marts.excursions),
        ("freshness", verify_marts.freshness),
        ("features", features),
        ("exit reasons", verify_marts.exit_reasons),
        ("statistics", verify_marts.statistics),
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
    for name, check in promises:
        yield _look(connection, name, check)


def _look(connection: Connection, name: str, check: Check) -> Result:
    try:
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute(
                "select set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,)
            )
        return Result(name, True, check(connection))
    except ExcursionError as error:
        return Result(name, False, str(error))
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName) as error:
        what = str(error).partition("\n")[0]
        made_by = "excursion migrate" if '"raw.' in what else ".venv/bin/dbt build"
        return Result(name, False, f"{what}: run `{made_by}`")
    except (
        psycopg2.errors.UndefinedColumn,
        psycopg2.errors.UndefinedFunction,
    ) as error:
        what = str(error).partition("\n")[0]
        reason = f"{what}: made by another version; {verify_marts.BUILD}"
        return Result(name, False, reason)
    except psycopg2.Error as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        return Result(name, False, f"could not look: {reason}")
    finally:
        if not connection.closed:
            connection.rollback()
