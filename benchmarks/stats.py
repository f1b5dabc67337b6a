"""strategy_stats with all its roll-ups: the project's SQL and DuckDB's."""

from __future__ import annotations

from statistics import median

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.duck import Duck, script
from benchmarks.figures import Figure
from benchmarks.models import SCHEMA, Built, timed
from benchmarks.server import BenchmarkError

MODEL = "strategy_stats"

#: Days that the builds of the benchmark look back on: all of any plan.
LOOKBACK_DAYS = 3_650

#: What two statistics may differ by, relative to the larger of 1 and the statistic:
#: DuckDB adds doubles, the project numeric.
TOLERANCE = 1e-9

CLOSED = """
    select
        id, ticker, strategy_type, instrument_type, exit_time, pnl_pct, net_pnl_dollars,
        win_loss_label, worst_unrealized_pnl_pct, best_unrealized_pnl_pct,
        holding_seconds
    from analytics.position_history
    where not is_opening_synthetic
"""
CLOSED_TYPES = {
    "id": "uuid",
    "ticker": "varchar",
    "strategy_type": "varchar",
    "instrument_type": "varchar",
    "exit_time": "timestamptz",
    "pnl_pct": "double",
    "net_pnl_dollars": "double",
    "win_loss_label": "integer",
    "worst_pct": "double",
    "best_pct": "double",
    "holding_seconds": "bigint",
}
KEYS = {
    "is_all_tickers": "boolean",
    "ticker": "varchar",
    "strategy_type": "varchar",
    "asset_type": "varchar",
}


def compare(
    connection: Connection, built: Built, duck: Duck, repeats: int
) -> list[Figure]:
    """Figures over all closed positions, medians of so many repeats."""
    duck.copy(connection, "closed", CLOSED, CLOSED_TYPES)
    query = script("duckdb_stats").format(lookback_days=LOOKBACK_DAYS)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(repeats):
        ours.append(timed(connection, built, (MODEL,))[MODEL])
        theirs.append(duck.timed("stats", query))
    rows = _require_same(connection, duck)
    positions, yardstick = duck.count("closed"), median(theirs)
    what = f"ours: `{MODEL}`, {rows:,} rows of all roll-ups"
    return [
        Figure.of(what, median(ours), yardstick, positions, "positions"),
        Figure.of("DuckDB", yardstick, yardstick, positions, "positions"),
    ]


def _require_same(connection: Connection, duck: Duck) -> int:
    """Every statistic of every row is the same; returns the number of rows."""
    described = duck.connection.execute("describe stats").fetchall()
    numbers = [name for name, *_ in described if name not in KEYS]
    columns = ", ".join([*KEYS, *(f"{name}::float8 as {name}" for name in numbers)])
    types = {**KEYS, **dict.fromkeys(numbers, "double")}
    query = f"select {columns} from {SCHEMA}.{MODEL}"  # noqa: S608
    duck.copy(connection, "ours", query, types)
    far = " or ".join(
        f"(o.{name} is null) <> (t.{name} is null) or abs(o.{name} - t.{name})"
        f" > {TOLERANCE} * greatest(1, abs(o.{name}))"
        for name in numbers
    )
    rows, theirs, differing = duck.connection.execute(
        f"""
        select
            (select count(*) from ours), (select count(*) from stats),
            (
                select coalesce(list(o), []) from ours o
                full join stats t using ({", ".join(KEYS)})
                where o.n_trades is null or t.n_trades is null or {far}
            )
        """  # noqa: S608
    ).fetchall()[0]
    duck.connection.execute("drop table ours")
    if rows != theirs or differing or not rows:
        raise BenchmarkError(
            f"{MODEL}: {rows} rows, {theirs} in DuckDB, differing: {differing[:1]}"
        )
    return int(rows)
