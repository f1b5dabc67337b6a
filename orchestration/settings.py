"""What the environment says about Dagster; each is refused in one line."""

from __future__ import annotations

import os

from ingest import config
from ingest.database import connect
from ingest.errors import UsageError

COVERAGE_VARIABLE = "EXCURSION_MIN_FEATURE_COVERAGE_PCT"
COVERAGE_PCT = 95.0

KEEP_VARIABLE = "EXCURSION_DAGSTER_KEEP_DAYS"
KEEP_DAYS = 3

#: Names a database of its own for Dagster's runs, events and schedules; not set: SQLite
#: files in DAGSTER_HOME.
POSTGRES_VARIABLE = "DAGSTER_POSTGRES_URL"
POSTGRES_SCHEME = "postgresql+psycopg2://"


def min_coverage_pct() -> float:
    """The least share, in percent, of recommended entries that must have features."""
    given = os.environ.get(COVERAGE_VARIABLE, "").strip()
    try:
        pct = float(given or COVERAGE_PCT)
    except ValueError:
        pct = -1
    if not 0 <= pct <= 100:
        raise UsageError(f"{COVERAGE_VARIABLE}={given}: give a number from 0 to 100")
    return pct


def keep_days() -> int:
    """For how many days refreshes are remembered."""
    given = os.environ.get(KEEP_VARIABLE, "").strip()
    if given and not given.isdecimal():
        raise UsageError(f"{KEEP_VARIABLE}={given}: give a whole number of days")
    return int(given or KEEP_DAYS)


def require_storage() -> None:
    """Raise ExcursionError where Dagster's own database is named and is not there."""
    url = os.environ.get(POSTGRES_VARIABLE, "").strip()
    if not url:
        return
    if not url.startswith(POSTGRES_SCHEME):
        raise UsageError(
            f"{POSTGRES_VARIABLE}: write {POSTGRES_SCHEME}user:password@host:5432/name"
        )
    plain = url.replace(POSTGRES_SCHEME, "postgresql://", 1)
    connect(config.load({"DATABASE_URL": plain})).close()
