"""Bytes a mark takes, its index included: while its day is fresh, and afterwards."""

from __future__ import annotations

from itertools import islice

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.figures import Figure, table
from benchmarks.loading import Loader, days_of
from benchmarks.server import BenchmarkError, Server
from ingest.generator import Plan

DATABASE = "stored"
#: The last of them stays open; the others are over.
DAYS = 3


def report(server: Server, plan: Plan) -> list[str]:
    """Load days as they are recorded, then let the project's upkeep close them."""
    server.recreate(DATABASE)
    connection = server.connect(DATABASE)
    try:
        days = islice(days_of(plan), DAYS)
        Loader(connection, plan).load(days, fresh=True)
        fresh = _bytes_each(connection)
        server.run(DATABASE, "excursion", "maintain")
        closed = _bytes_each(connection)
    finally:
        connection.close()
        server.drop(DATABASE)
    return table(
        [
            Figure("a mark of a fresh day, index included", f"{fresh:.1f} bytes"),
            Figure("a mark of a closed day, index included", f"{closed:.1f} bytes"),
        ]
    )


def _bytes_each(connection: Connection) -> float:
    """Of the first days, which are over."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select inhrelid::regclass::text, pg_total_relation_size(inhrelid)"
            " from pg_inherits where inhparent = 'raw.marks'::regclass order by 1"
        )
        size = rows = 0
        for name, total in cursor.fetchall()[: DAYS - 1]:
            cursor.execute(f"select count(*) from {name}")  # noqa: S608
            (count,) = cursor.fetchone() or (0,)
            size, rows = size + total, rows + count
    if not rows:
        raise BenchmarkError("no marks were stored")
    return float(size / rows)
