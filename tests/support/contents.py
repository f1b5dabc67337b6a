"""What a database holds, for comparing one with another."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.postgres import Database

#: When this program wrote a row, and numbers given by arrival: not what was observed.
ARRIVAL = frozenset({"ingested_at", "processed_at", "first_seen_at", "quarantined_at"})


def raw(database: Database) -> dict[str, str]:
    """A hash of each raw table's rows, without what tells how they came there."""
    tables = database.query(
        "select table_name::text from information_schema.tables where"
        " table_schema = 'raw' and table_name not like 'marks%%'"
        # What is noted of changes depends on the batches in which they came.
        " and table_name not like 'changed%%' and table_type ="
        " 'BASE TABLE' and table_name <> 'schema_migrations' order by 1"
    )
    hashes = {
        table: _hash(database, f"raw.{table}", {*ARRIVAL, "symbol_id", "id"})
        for (table,) in tables
    }
    marks = (
        "(select symbol, marks.* from raw.marks join raw.instruments using (symbol_id))"
    )
    return {**hashes, "marks": _hash(database, marks, {"symbol_id"})}


def positions(database: Database) -> list[tuple[str, str]]:
    """position_history by id: all columns but when the closing fill was received."""
    return [
        (str(identifier), row)
        for identifier, row in database.query(
            "select id, (to_jsonb(history) - 'created_at')::text"
            " from analytics.position_history as history order by id"
        )
    ]


def _hash(database: Database, relation: str, ignored: Iterable[str]) -> str:
    sql = f"""
        select
            count(*) || ' rows ' || coalesce(md5(string_agg(row, '' order by row)), '')
        from (
            select (to_jsonb(told) - %s::text[])::text as row from {relation} as told
        ) as rows
    """  # noqa: S608 - names from the catalog
    [(hashed,)] = database.query(sql, (sorted(ignored),))
    return str(hashed)
