"""The contract of docs/dispatcher.md: its own SQL, as a role with its own grants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.support import wire
from tests.support.dbt import build
from tests.support.paths import ROOT
from tests.support.postgres import Database, replay

PAGE = (ROOT / "docs" / "dispatcher.md").read_text(encoding="utf-8")
GRANTS, INSERTS, UPDATE = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)

EXECUTION = "bec49ab4-6fc8-40d2-982c-ba01600a6732"


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """The page's role under a name of this test: roles are the whole server's."""
    name = f"{database.name}_dispatcher"
    database.execute(re.sub(r"\bdispatcher\b", name, GRANTS))
    yield name
    database.execute(f"drop owned by {name}; drop role {name}")


def run_as(role: str, database: Database, sql: str) -> int:
    """Rows that the last statement touched."""
    with closing(database.connect()) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"set local role {role}")
            cursor.execute(sql)
            return cursor.rowcount


@pytest.mark.parametrize(
    "sql",
    [
        "select from raw.fills",
        "select from raw.quarantine",
        "delete from raw.dispatch_executions",
        "truncate raw.dispatch_recommendations",
        "update raw.dispatch_executions set intent = 'exit'",
        "update raw.dispatch_executions set ingested_at = now()",
        "update raw.dispatch_recommendations set created_at = now()",
        "insert into raw.instruments (symbol, asset_class, ticker, multiplier)"
        " values ('SPY', 'us_equity', 'SPY', 1)",
        "create table raw.mine ()",
        "alter table raw.dispatch_executions disable trigger all",
    ],
)
def test_the_role_can_do_nothing_else(role: str, database: Database, sql: str) -> None:
    run_as(role, database, INSERTS)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run_as(role, database, sql)


def test_unknown_words_are_refused(role: str, database: Database) -> None:
    for word in ("day_trade", "entry"):
        with pytest.raises(psycopg2.errors.CheckViolation):
            run_as(role, database, INSERTS.replace(f"'{word}'", "'hunch'"))


def test_rows_inserted_and_filled_in_explain_a_position(
    role: str, database: Database, tmp_path: Path
) -> None:
    def arrived() -> object:
        [(instant,)] = database.query("select ingested_at from raw.dispatch_executions")
        return instant

    # Of a client order id that nobody saw: only the broker's finds the fill.
    fill = wire.frame(of=wire.order(client_order_id=None))
    replay(database, [wire.line("trade_updates", fill)], tmp_path)
    run_as(role, database, INSERTS)
    first = arrived()
    build(database)
    explained = "select execution_uuid::text, entry_iv_rank from"
    assert database.query(f"{explained} analytics.active_positions") == [(None, None)]

    assert run_as(role, database, INSERTS) == 0, "the same rows are there already"
    assert arrived() == first
    assert run_as(role, database, UPDATE) == 1
    filled_in = arrived()
    assert filled_in != first, "what reads by arrival must see it"
    assert run_as(role, database, UPDATE.replace("order-1", "order-2")) == 1
    assert arrived() == filled_in, "nothing was null, so nothing changed"

    build(database)
    assert database.query(f"{explained} analytics.active_positions") == [
        (EXECUTION, pytest.approx(12.5))
    ]


def test_a_recommendation_without_features_is_counted_and_stops_nothing(
    database: Database, tmp_path: Path
) -> None:
    lines = [
        wire.line("trade_updates", wire.frame()),
        wire.line("dispatch", wire.recommendation(features_snapshot=None)),
        wire.line("dispatch", wire.execution()),
    ]
    replay(database, lines, tmp_path)
    build(database)
    assert database.query(
        "select recommended_count, featured_count, missing_snapshot_count"
        " from analytics.feature_coverage"
    ) == [(1, 0, 1)]
