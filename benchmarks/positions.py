"""Positions from fills: the project's SQL and DuckDB's, with equal results."""

from __future__ import annotations

from statistics import median

from psycopg2.extensions import connection as Connection  # noqa: N812

from benchmarks.duck import Duck, script
from benchmarks.figures import Figure
from benchmarks.models import SCHEMA, Built, timed

LEGS, DERIVED = "int_legs__built", "int_positions__derived"

FILLS = """
    select
        event_id, account_name, symbol, order_id, client_order_id, execution_id, side,
        qty::bigint, (price * 10000)::bigint, cum_qty::bigint, executed_at, received_at
    from raw.fills
"""
FILL_TYPES = {
    "event_id": "varchar",
    "account_name": "varchar",
    "symbol": "varchar",
    "order_id": "varchar",
    "client_order_id": "varchar",
    "execution_id": "uuid",
    "side": "varchar",
    "quantity": "bigint",
    "price": "bigint",
    "cumulative_quantity": "bigint",
    "executed_at": "timestamptz",
    "received_at": "timestamptz",
}
INSTRUMENTS = "select symbol, symbol_id, multiplier from raw.instruments"
INSTRUMENT_TYPES = {"symbol": "varchar", "symbol_id": "integer", "multiplier": "bigint"}

#: Our columns as DuckDB's query names and types them, to be compared exactly.
LEG_COLUMNS = {
    "position_id": ("position_id", "uuid"),
    "leg_number": ("leg_number", "integer"),
    "account_name": ("account_name", "varchar"),
    "symbol": ("symbol", "varchar"),
    "symbol_id": ("symbol_id", "integer"),
    "multiplier": ("multiplier", "bigint"),
    "event_id": ("event_id", "varchar"),
    "part": ("part", "integer"),
    "order_id": ("order_id", "varchar"),
    "client_order_id": ("client_order_id", "varchar"),
    "execution_id": ("execution_id", "uuid"),
    "event_amount": ("event_amount::bigint", "bigint"),
    "price": ("(price * 10000)::bigint", "bigint"),
    "signed_quantity": ("signed_quantity::bigint", "bigint"),
    "quantity_after": ("quantity_after::bigint", "bigint"),
    "cash_after": ("(cash_after * 10000)::bigint", "bigint"),
    "is_opening": ("is_opening", "boolean"),
    "is_open_position": ("is_open_position", "boolean"),
    "leg_started_at": ("leg_started_at", "timestamptz"),
    "leg_ended_at": ("leg_ended_at", "timestamptz"),
    "received_at": ("received_at", "timestamptz"),
}
POSITION_COLUMNS = {
    "position_id": ("position_id", "uuid"),
    "account_name": ("account_name", "varchar"),
    "symbol": ("symbol", "varchar"),
    "symbol_id": ("symbol_id", "integer"),
    "multiplier": ("multiplier", "bigint"),
    "side": ("side", "varchar"),
    "is_open": ("is_open", "boolean"),
    "entry_quantity": ("entry_quantity::bigint", "bigint"),
    "open_quantity": ("open_quantity::bigint", "bigint"),
    # The quotients of exact numbers: equal to nine decimals.
    "entry_price": ("round(entry_price, 9)::float8", "double"),
    "exit_price": ("round(exit_price, 9)::float8", "double"),
    "entry_notional": ("(entry_notional_dollars * 10000)::bigint", "bigint"),
    "cash": ("(cash_dollars * 10000)::bigint", "bigint"),
    "peak_quantity": ("peak_quantity::bigint", "bigint"),
    "entry_fill_count": ("entry_fill_count", "bigint"),
    "exit_fill_count": ("exit_fill_count", "bigint"),
    "opening_event_id": ("opening_event_id", "varchar"),
    "opening_order_id": ("opening_order_id", "varchar"),
    "opening_client_order_id": ("opening_client_order_id", "varchar"),
    "opening_execution_id": ("opening_execution_id", "uuid"),
    "opened_at": ("opened_at", "timestamptz"),
    "last_event_id": ("last_event_id", "varchar"),
    "last_order_id": ("last_order_id", "varchar"),
    "last_client_order_id": ("last_client_order_id", "varchar"),
    "last_event_at": ("last_event_at", "timestamptz"),
    "last_event_price": ("(last_event_price * 10000)::bigint", "bigint"),
    "last_event_received_at": ("last_event_received_at", "timestamptz"),
}


def compare(
    connection: Connection, built: Built, duck: Duck, repeats: int
) -> list[Figure]:
    """Figures of legs and positions, from all fills, medians of so many repeats."""
    models = [LEGS, *built.between(LEGS, DERIVED)]
    duck.copy(connection, "fills", FILLS, FILL_TYPES)
    duck.copy(connection, "instruments", INSTRUMENTS, INSTRUMENT_TYPES)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(repeats):
        ours.append(sum(timed(connection, built, models).values()))
        legs = duck.timed("built", script("duckdb_legs"))
        theirs.append(legs + duck.timed("derived", script("duckdb_positions")))
    _require_same(connection, duck, "built", f"{SCHEMA}.{LEGS}", LEG_COLUMNS)
    _require_same(connection, duck, "derived", f"{SCHEMA}.{DERIVED}", POSITION_COLUMNS)
    fills = duck.count("fills")
    yardstick = median(theirs)
    named = " + ".join(f"`{model}`" for model in models)
    return [
        Figure.of(f"ours: {named}", median(ours), yardstick, fills, "fills"),
        Figure.of("DuckDB", yardstick, yardstick, fills, "fills"),
    ]


def _require_same(
    connection: Connection,
    duck: Duck,
    theirs: str,
    relation: str,
    columns: dict[str, tuple[str, str]],
) -> None:
    query = f"select {', '.join(sql for sql, _ in columns.values())} from {relation}"  # noqa: S608
    types = {name: kind for name, (_, kind) in columns.items()}
    duck.copy(connection, "ours", query, types)
    chosen = ", ".join(
        f"round({name}, 9) as {name}"
        if kind == "double"
        else f"{name}::{kind} as {name}"
        for name, kind in types.items()
    )
    duck.require_equal(relation, "ours", f"(select {chosen} from {theirs})")  # noqa: S608
    duck.connection.execute("drop table ours")
