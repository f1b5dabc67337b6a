"""`excursion verify` sees each broken promise, and only that one."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from ingest import migrate, verify_marts
from ingest.verify import Result, verify
from tests.support import wire
from tests.support.paths import ROOT
from tests.support.postgres import Database, replay


def look(database: Database, min_coverage: int = 95) -> dict[str, Result]:
    with closing(database.connect()) as connection:
        found = verify(connection, min_coverage=Decimal(min_coverage))
        return {result.promise: result for result in found}


def failing(database: Database) -> dict[str, str]:
    return {r.promise: r.evidence for r in look(database).values() if not r.passed}


def test_a_sound_database_keeps_every_promise(built: Database) -> None:
    assert failing(built) == {}


def test_looking_leaves_nothing_behind(built: Database) -> None:
    contents = """
        select
            (select count(*) from raw.fills),
            (select count(*) from raw.alpaca_event_dedupe),
            (select count(*) from raw.quarantine),
            (select count(*) from raw.instruments),
            (select count(*) from raw.marks), (select max(ingested_at) from raw.orders),
            (select count(*) from pg_class where relnamespace = 'raw'::regnamespace)
    """
    before = built.query(contents)
    look(built)
    assert built.query(contents) == before


# (promise, what breaks it, a word of the evidence)
FAULTS = {
    "a constraint that was dropped and stayed on record": (
        "migrations",
        "alter table raw.fills drop constraint fills_side_known",
        "fills_side_known",
    ),
    "an index that was dropped": (
        "migrations",
        "drop index raw.fills_lane",
        "fills_lane",
    ),
    "a constraint that lets bad rows pass": (
        "constraints",
        "alter table raw.dispatch_executions"
        " drop constraint dispatch_executions_intent_known;"
        " alter table raw.dispatch_executions"
        " add constraint dispatch_executions_intent_known check (intent <> '')",
        "dispatch_executions_intent_known (took the row)",
    ),
    "marks without a usable price": (
        "constraints",
        "alter table raw.marks drop constraint marks_usable_has_price;"
        " alter table raw.marks"
        " add constraint marks_usable_has_price check (price >= 0)",
        "marks_usable_has_price",
    ),
    "a fill without its dedupe row": (
        "idempotency",
        "delete from raw.alpaca_event_dedupe where event_id ="
        " (select event_id from raw.fills order by event_id limit 1)",
        "1 fill has no dedupe row",
    ),
    "one cum_qty twice": (
        "idempotency",
        "drop index raw.fills_one_live_execution; create index fills_one_live_execution"
        " on raw.fills (account_name, order_id, cum_qty); update raw.fills set"
        " (account_name, order_id, cum_qty) = (select account_name, order_id, cum_qty"
        " from raw.fills where event_id = (select min(event_id) from raw.fills where"
        " kind = 'fill')) where event_id = (select max(event_id) from raw.fills where"
        " kind = 'fill' and superseded_by is null)",
        "more than once",
    ),
    "a dedupe row that points nowhere": (
        "idempotency",
        "alter table raw.alpaca_event_dedupe drop constraint"
        " alpaca_event_dedupe_fill_event_id_fkey; update raw.alpaca_event_dedupe set"
        " fill_event_id = 'exec:gone' where event_id = (select min(event_id) from"
        " raw.alpaca_event_dedupe where fill_event_id is not null)",
        "points to no fill",
    ),
    "a fill that differs from its own message": (
        "idempotency",
        "update raw.fills set price = price + 1 where event_id ="
        " (select event_id from raw.fills order by md5(event_id) limit 1)",
        "message quarantined",
    ),
    "an order that was lost": (
        "idempotency",
        "delete from raw.orders where order_id = (select order_id from raw.fills"
        " where source = 'trade_updates' order by md5(event_id) limit 1)",
        "1 order written",
    ),
    "an execution in no position": (
        "executions",
        "delete from analytics_intermediate.int_legs__built where event_id in (select"
        " event_id from analytics_intermediate.int_legs__built where moves = 'trade'"
        " and is_open_position and quantity_after <> 0 order by event_id limit 1)",
        "1 of ",
    ),
    "a position of another size than its fills": (
        "quantities",
        "update analytics_intermediate.int_legs__built set signed_quantity ="
        " signed_quantity * 2 where event_id = (select min(event_id) from"
        " analytics_intermediate.int_legs__built where is_open_position and"
        " event_type = 'FILL')",
        "differ",
    ),
    "a closed position of another size than its fills": (
        "quantities",
        "update analytics.position_history set quantity = quantity * 2,"
        " exit_price = entry_price + (exit_price - entry_price) / 2"
        " where id = (select id from analytics.position_history where side = 'long'"
        " and instrument_type = 'STOCK' order by id limit 1)",
        "differ",
    ),
    "a P&L that prices do not give": (
        "profit",
        "update analytics.position_history set entry_price = entry_price * 1.01"
        " where id = (select id from analytics.position_history order by id limit 1)",
        "the P&L of 1,",
    ),
    "a best moment below the result": (
        "bounds",
        "update analytics.position_history set best_unrealized_pnl_dollars ="
        " pnl_dollars - 1 where id = (select id from analytics.position_history"
        # Not of those whose marks are read again.
        " where pnl_dollars > 1 order by exit_time limit 1)",
        "1 of ",
    ),
    "a long that lost more than all": (
        "bounds",
        "update analytics.position_history set worst_unrealized_pnl_pct = -100.01"
        " where id = (select id from analytics.position_history where side = 'long'"
        " order by id limit 1)",
        "1 of ",
    ),
    "an extreme after the exit": (
        "bounds",
        "update analytics.position_history set best_unrealized_at ="
        " exit_time + interval '1 second' where id = (select id from"
        " analytics.position_history order by id limit 1)",
        "1 of ",
    ),
    "a best moment that no mark had": (
        "excursions",
        "update analytics.position_history set best_unrealized_pnl_dollars ="
        " best_unrealized_pnl_dollars + 0.01 where id = (select id from"
        " analytics.position_history order by exit_time desc, id limit 1)",
        "last mark of 1 of ",
    ),
    "an open position that has missed its last mark": (
        "excursions",
        "update analytics_intermediate.int_open_legs__marked set last_mark_at ="
        " last_mark_at - interval '1 second' where position_id = (select id from"
        " analytics.active_positions where side = 'long' and status = 'open'"
        " order by id limit 1)",
        "last mark of 1 of ",
    ),
    "an open position without a last mark": (
        "excursions",
        "update analytics_intermediate.int_open_legs__marked set last_mark_at = null"
        " where position_id = (select id from analytics.active_positions"
        " where side = 'long' and status = 'open' order by id limit 1)",
        "last mark of 1 of ",
    ),
    "recommended entries without features": (
        "features",
        "update analytics.position_history set entry_features_json = null",
        " lost theirs",
    ),
    "a label that nobody knows": (
        "exit reasons",
        "update analytics.position_history set exit_reason = 'whim' where id ="
        " (select id from analytics.position_history order by id limit 1)",
        "whim",
    ),
    "statistics of too few positions": (
        "statistics",
        "update analytics.strategy_stats set n_trades = n_trades - 1"
        " where is_all_tickers and strategy_type = 'ALL' and asset_type = 'ALL'",
        "n_trades is",
    ),
    "a win rate that wins do not give": (
        "statistics",
        "update analytics.strategy_stats set win_rate = win_rate + 0.001"
        " where is_all_tickers and strategy_type = 'ALL' and asset_type = 'ALL'",
        "win_rate is",
    ),
    "percentiles that fall": (
        "statistics",
        "update analytics.strategy_stats set mae_p90 = mae_p50 - 1"
        " where ticker = 'AAPL' and strategy_type = 'ALL' and asset_type = 'ALL'",
        "percentiles fall in 1 of",
    ),
    "statistics older than the newest exit": (
        "statistics",
        "update analytics.strategy_stats set as_of_date = as_of_date - 1",
        "the newest exit",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_promise_fails_alone(built: Database, fault: str) -> None:
    promise, damage, evidence = FAULTS[fault]
    built.execute(damage)
    found = failing(built)
    assert [*found] == [promise], found
    assert evidence in found[promise]


def test_a_close_that_is_not_built_yet_is_not_fresh(
    built: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    opening = wire.frame(of=wire.order("late-1", symbol="LATE"))
    closing_fill = wire.frame(
        of=wire.order("late-2", symbol="LATE", side="sell"),
        execution_id="5a3f5fb6-8d5c-4c6b-b0c0-0d2b1e9b7f10",
        position_qty="0",
    )
    folder = tmp_path_factory.mktemp("late")
    replay(built, [wire.line("trade_updates", opening)], folder)
    assert failing(built) == {}
    seen = look(built)["freshness"].evidence
    assert re.search("; [1-9] facts? and the marks of 0 hours wait for", seen)
    replay(built, [wire.line("trade_updates", closing_fill)], folder)
    found = failing(built)
    assert [*found] == ["freshness"]
    assert (
        "1 closing event is" in found["freshness"]
        and ".venv/bin/dbt build" in found["freshness"]
    )


def test_marks_that_wait_or_were_archived_are_no_broken_promise(
    built: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(symbol, held_at)] = built.query(
        "select ticker, entry_time + (exit_time - entry_time) / 2"
        " from analytics.position_history where instrument_type = 'STOCK'"
        " order by exit_time desc, id limit 1"
    )
    assert " of 200 closed " in look(built)["excursions"].evidence
    far_off = wire.trade(symbol, 100_000.0, t=held_at.isoformat())
    replay(built, [wire.line("stock_data", far_off)], tmp_path)
    waits = look(built)["excursions"]
    assert waits.passed and re.search(" of 1[0-9]{2} closed ", waits.evidence)

    built.execute("delete from raw.changed_marks")
    assert [*failing(built)] == ["excursions"]

    built.execute(
        "insert into raw.archived_marks (utc_day, part, marks, sha256)"
        " values (%s, 1, 1, '')",
        (held_at.date(),),
    )
    assert failing(built) == {}

    # As where there is nothing else.
    monkeypatch.setattr(verify_marts, "SAMPLE", 0)
    assert " 0 closed and 0 open " in look(built)["excursions"].evidence
    assert failing(built) == {}


def test_the_threshold_of_features_can_be_moved(built: Database) -> None:
    built.execute(
        "update raw.dispatch_recommendations set features_snapshot = null"
        " where hashtext(recommendation_id) > 0;"
        " update analytics.position_history as history set entry_features_json = null"
        " from raw.dispatch_executions join raw.dispatch_recommendations"
        " using (recommendation_id) where features_snapshot is null"
        " and dispatch_executions.execution_uuid = history.execution_uuid"
    )
    assert not look(built, 60)["features"].passed
    found = look(built, 10)["features"]
    assert found.passed
    assert "came without a features_snapshot" in found.evidence


def test_features_that_the_models_lost_are_no_matter_of_a_threshold(
    built: Database,
) -> None:
    built.execute(
        "update analytics.position_history set entry_features_json = null where id ="
        " (select id from analytics.position_history"
        " where entry_features_json is not null limit 1)"
    )
    found = look(built, 0)["features"]
    assert not found.passed
    assert "1 lost theirs" in found.evidence


def test_without_recommendations_there_is_nothing_to_cover(built: Database) -> None:
    built.execute("update raw.dispatch_executions set recommendation_id = null")
    assert look(built)["features"].passed


def test_texts_without_a_label_are_listed(built: Database) -> None:
    built.execute(
        "update analytics.position_history set exit_reason = 'unknown',"
        " exit_reason_source = 'dispatch', exit_reason_raw = 'gut feeling' where id ="
        " (select id from analytics.position_history order by id limit 1)"
    )
    found = look(built)["exit reasons"]
    assert found.passed
    assert "`gut feeling,<label>`" in found.evidence
    assert found.evidence.endswith(
        " to seeds/exit_reason_aliases.csv, then `.venv/bin/dbt build`"
    )


def test_a_line_for_the_seed_is_csv_and_stands_for_all_that_fold_into_it() -> None:
    texts = ["Gut feeling", "gut  feeling!", 'up, then "down"']
    assert verify_marts._alias_lines(texts) == [
        "Gut feeling,<label>",
        '"up, then ""down""",<label>',
    ]


def test_an_empty_database_fails_and_says_what_to_do_first(database: Database) -> None:
    found = look(database)
    assert found["migrations"].passed and found["constraints"].passed
    assert not found["facts"].passed
    assert "replay a recording first" in found["facts"].evidence
    for promise in ("executions", "profit", "freshness", "statistics"):
        assert "`.venv/bin/dbt build`" in found[promise].evidence


def test_a_database_without_any_schema_fails_every_promise(
    empty_database: Database,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ingest.cli", "verify"],
        env=empty_database.environment(),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert len(lines) == 13 and all(line.startswith("FAIL ") for line in lines)
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_every_check_of_the_migrations_has_a_bad_row_to_try() -> None:
    text = "\n".join(migration.sql for migration in migrate.packaged())
    checks = set(re.findall(r"add constraint (\w+)\s+check", text))
    folder = files("ingest.sql").joinpath("reports", "refused")
    assert {file.name.removesuffix(".sql") for file in folder.iterdir()} == checks
