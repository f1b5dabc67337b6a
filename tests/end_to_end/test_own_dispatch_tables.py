"""Tables that the bots have already: read under their own names, or refused by name.

The entries of the trades are written through the program; who decided on them stands
in tables of another schema, with other column names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import wire
from tests.support.dbt import BuildError, build
from tests.support.postgres import Database, replay

BOTS = """
create schema bots;
create table bots.ideas (
    id text primary key,
    "When" timestamp not null,
    features jsonb,
    conviction double precision
);
create table bots.orders_sent (
    id text primary key,
    idea text,
    broker_account text,
    broker_order text,
    kind text,
    why text,
    style text,
    created_at timestamptz
);
insert into bots.ideas values
('IDEA-1', '2026-03-02 15:29:57', '{"iv_rank": 12.5}', 0.7),
('idea-2', '2026-03-02 15:29:57', null, 0.1);
insert into bots.orders_sent values
('BEC49AB4-6FC8-40D2-982C-BA01600A6732', 'idea-1', 'main', 'order-1', 'open', null,
 'swing', '2026-03-02 15:29:58+00'),
('bec49ab4-6fc8-40d2-982c-ba01600a6733', null, 'main', 'order-2', 'close',
 'take profit', null, '2026-03-02 15:39:58+00');
"""

RELATIONS: dict[str, Any] = {
    "dispatch_recommendations_relation": "bots.ideas",
    "dispatch_recommendations_columns": {
        "recommendation_id": "id",
        "features_snapshot": "features",
        "created_at": "\"When\" at time zone 'UTC'",
    },
    "dispatch_executions_relation": "bots.orders_sent",
    "dispatch_executions_columns": {
        "execution_uuid": "id",
        "recommendation_id": "idea",
        "account_name": "broker_account",
        "alpaca_order_id": "broker_order",
        "client_order_id": None,
        "intent": "case kind when 'open' then 'entry' else 'exit' end",
        "exit_reason": "why",
        "strategy_type": "case style when 'swing' then 'swing_trade' end",
    },
}


def with_columns(table: str, **columns: Any) -> dict[str, Any]:
    name = f"dispatch_{table}_columns"
    return {**RELATIONS, name: {**RELATIONS[name], **columns}}


def without(table: str, column: str) -> dict[str, Any]:
    name = f"dispatch_{table}_columns"
    kept = {ours: its for ours, its in RELATIONS[name].items() if ours != column}
    return {**RELATIONS, name: kept}


@pytest.fixture
def traded(database: Database, tmp_path: Path) -> Database:
    """Bought and sold again, and a table of the bots that explains it."""
    sold = wire.order("order-2", side="sell", updated_at="2026-03-02T15:40:00Z")
    lines = [
        wire.line("trade_updates", wire.frame()),
        wire.line(
            "trade_updates",
            wire.frame(
                of=sold,
                execution_id="d1aa3140-5813-471e-8de6-4243ff0e8668",
                timestamp="2026-03-02T15:40:00Z",
                price="101",
            ),
        ),
    ]
    replay(database, lines, tmp_path)
    database.execute(BOTS)
    return database


def history(database: Database) -> list[tuple[Any, ...]]:
    return database.query(
        "select execution_uuid::text, strategy_type, entry_features_json, exit_reason"
        " from analytics.position_history"
    )


FOUND = [
    (
        "bec49ab4-6fc8-40d2-982c-ba01600a6732",
        "swing_trade",
        {"iv_rank": 12.5},
        "tp",
    )
]


def test_the_bots_own_tables_explain_the_positions(traded: Database) -> None:
    build(traded, vars=RELATIONS)
    assert history(traded) == FOUND
    assert traded.query(
        "select recommendation_id, confidence, created_at at time zone 'UTC' ="
        " '2026-03-02 15:29:57' from analytics_staging.stg_dispatch__recommendations"
        " order by 1"
    ) == [("idea-1", None, True), ("idea-2", None, True)]


def test_what_is_recorded_wins_over_the_same_row_elsewhere(
    traded: Database, tmp_path: Path
) -> None:
    rows = [
        wire.execution(recommendation_id="idea-1"),
        wire.recommendation(
            recommendation_id="idea-1", features_snapshot={"iv_rank": 99}
        ),
    ]
    replay(traded, [wire.line("dispatch", row) for row in rows], tmp_path)
    build(traded, vars=RELATIONS)
    [(_, strategy_type, features, exit_reason)] = history(traded)
    assert (strategy_type, features) == ("day_trade", {"iv_rank": 99})
    assert exit_reason == "tp", "what only the bots' own table has is still read"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {**RELATIONS, "dispatch_executions_relation": "bots.orders"},
            "bots.orders: there is no such table in database",
        ),
        (
            with_columns("recommendations", features_snapshot="feature_snapshot"),
            "it has no column feature_snapshot",
        ),
        (
            without("recommendations", "features_snapshot"),
            "it has no column features_snapshot: name the one that holds",
        ),
        (
            with_columns("executions", exit_reasons="why"),
            "exit_reasons in dispatch_executions_columns is none of our columns",
        ),
        (
            with_columns("executions", intent=None),
            "intent may not be null",
        ),
        (
            with_columns("recommendations", created_at='"When"'),
            "When has no time zone",
        ),
        (
            with_columns("recommendations", features_snapshot="feature_snapshot ->> 1"),
            'column "feature_snapshot" does not exist',
        ),
        (
            with_columns("executions", strategy_type="style"),
            "accepted_values_stg_dispatch__executions_strategy_type",
        ),
        (
            {**RELATIONS, "dispatch_executions_relation": None},
            "dispatch_executions_relation does not name a table",
        ),
    ],
)
def test_a_wrong_name_stops_the_run_and_says_which(
    traded: Database, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(BuildError) as error:
        build(traded, "staging", vars=wrong)
    assert says in str(error.value)


def test_what_changes_in_the_bots_tables_changes_the_positions(
    traded: Database,
) -> None:
    build(traded, vars=RELATIONS)
    assert history(traded) == FOUND
    traded.execute("update bots.orders_sent set why = 'stop loss' where kind = 'close'")
    traded.execute("""update bots.ideas set features = '{"iv_rank": 13}'""")
    build(traded, vars=RELATIONS)
    assert history(traded) == [(*FOUND[0][:2], {"iv_rank": 13}, "sl")]
    traded.execute("delete from bots.orders_sent where kind = 'open'")
    build(traded, vars=RELATIONS)
    assert history(traded) == [(None, None, None, "sl")]
