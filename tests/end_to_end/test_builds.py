"""What a build may not do: lose rows, take views away, pass over a changed setting."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.dbt import BuildError, build, run
from tests.support.ingester import eventually
from tests.support.paths import ROOT
from tests.support.postgres import Database

BIN = Path(sys.executable).parent
HISTORY = "select * from analytics.position_history order by id"
OPEN = "select * from analytics.active_positions order by id"
STATS = """
select * from analytics.strategy_stats
order by as_of_date, is_all_tickers, ticker, strategy_type, asset_type
"""
COLUMNS = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where
    attrelid = 'analytics_intermediate.int_positions__excursions_found'::regclass
    and attnum > 0 and not attisdropped
order by attname
"""
SCOPE = "select is_full from analytics_intermediate.int_builds__scoped"
WAITING = """
select distinct pid from pg_locks
where
    not granted
    and database = (select oid from pg_database where datname = current_database())
"""
NOTED = "select count(*) from raw.changed_facts"


def versions(database: Database) -> list[tuple[Any, ...]]:
    return database.query(
        "select valid_to is null, count(*) from analytics.position_history_versions"
        " group by 1 order by 1"
    )


def test_a_build_takes_off_what_it_has_seen(built: Database) -> None:
    assert built.query(NOTED) == [(0,)]
    assert built.query(SCOPE) == [(False,)]
    assert built.query("select count(*) from raw.changed_marks") == [(0,)]


def test_a_database_that_was_not_migrated_is_refused(
    built: Database, empty_database: Database
) -> None:
    with pytest.raises(
        BuildError, match="has 0 of 13 migrations: run excursion migrate"
    ):
        build(empty_database)
    built.execute(
        "delete from raw.schema_migrations"
        " where version = (select max(version) from raw.schema_migrations)"
    )
    with pytest.raises(BuildError, match="has 12 of 13 migrations"):
        build(built)


def test_a_build_without_rows_is_refused(built: Database) -> None:
    before = built.query(HISTORY)
    with pytest.raises(BuildError, match="--empty is refused"):
        run(built, ["run", "--empty"])
    assert built.query(HISTORY) == before != []


def test_a_table_that_each_build_makes_whole_may_be_missing(built: Database) -> None:
    """As after an upgrade that brought it: nothing else is derived again for it."""
    rows = "select id, xmin::text from analytics.position_history order by id"
    before, opened = built.query(rows), built.query(OPEN)
    assert any(opened)
    built.execute("drop table analytics_intermediate.int_open_legs__marked cascade")
    build(built, data_tests=False)
    assert built.query(rows) == before
    assert built.query(OPEN) == opened


def test_a_part_of_a_build_leaves_the_rest_to_the_next(built: Database) -> None:
    before = built.query(HISTORY)
    built.execute("update raw.fills set price = price + 1 where kind = 'fill'")
    ((noted,),) = built.query(NOTED)
    run(built, ["run", "--select", "+int_legs__built"])
    assert built.query(NOTED) == [(noted,)]
    assert built.query(HISTORY) == before
    build(built, data_tests=False)
    assert built.query(NOTED) == [(0,)]
    after = built.query(HISTORY)
    assert after != before
    # Each position is there in the version of before and in the new one.
    assert versions(built) == [(False, len(before)), (True, len(after))]
    build(built, data_tests=False)
    assert versions(built) == [(False, len(before)), (True, len(after))]


@pytest.mark.parametrize("left_out", ["int_leg_days__touched", "int_lanes__touched"])
def test_a_build_without_what_others_read_leaves_all_to_the_next(
    built: Database, left_out: str
) -> None:
    built.execute("update raw.fills set price = price + 1 where kind = 'fill'")
    ((noted,),) = built.query(NOTED)
    run(built, ["run", "--exclude", left_out])
    assert built.query(NOTED) == [(noted,)]
    build(built, data_tests=False)
    assert built.query(NOTED) == [(0,)]
    incremental = built.query(HISTORY), built.query(OPEN)
    run(built, ["run", "--full-refresh"])
    assert (built.query(HISTORY), built.query(OPEN)) == incremental


def test_after_a_full_build_that_was_cut_off_a_part_changes_nothing(
    built: Database,
) -> None:
    before = built.query(HISTORY), built.query(OPEN), versions(built)
    run(built, ["run", "--full-refresh", "--select", "int_builds__scoped"])
    assert built.query(SCOPE) == [(True,)]
    run(built, ["run", "--select", "config.meta.follows_changes:true"])
    assert (built.query(HISTORY), built.query(OPEN), versions(built)) == before
    build(built, data_tests=False)
    assert built.query(SCOPE) == [(False,)]
    assert (built.query(HISTORY), built.query(OPEN), versions(built)) == before


def test_what_each_build_makes_whole_is_not_dropped(built: Database) -> None:
    before = built.query(OPEN)
    whole = ["int_open_legs__marked", "int_open_positions__quoted"]
    run(built, ["run", "--full-refresh", "--select", *whole])
    assert built.query(OPEN) == before


def test_a_part_of_a_build_that_has_ended_changes_nothing(built: Database) -> None:
    before = built.query(HISTORY)
    run(built, ["run", "--select", "int_fees__allocated+"])
    assert built.query(HISTORY) == before


def test_a_model_that_keeps_rows_is_not_made_anew_alone(built: Database) -> None:
    before = built.query(HISTORY)
    with pytest.raises(BuildError, match="cannot be built anew by itself: run dbt"):
        run(built, ["run", "--full-refresh", "--select", "position_history"])
    assert built.query(HISTORY) == before


def test_a_full_refresh_publishes_no_version_of_equal_rows(built: Database) -> None:
    before = versions(built)
    run(built, ["run", "--full-refresh"])
    assert versions(built) == before


def test_a_changed_setting_derives_everything_again(built: Database) -> None:
    spreads = "select count(entry_spread_pct) from analytics.position_history"
    ((before,),) = built.query(spreads)
    build(built, data_tests=False, vars={"entry_quote_max_age_seconds": 1})
    ((after,),) = built.query(spreads)
    assert after < before


def test_a_view_that_was_written_from_something_else_is_written_anew(
    built: Database,
) -> None:
    """Whether a view stands is asked once a run, for all of them."""
    views = "select 'analytics_staging.stg_alpaca__{}'::regclass::oid"
    fills, orders = views.format("fills"), views.format("orders")
    before = built.query(fills), built.query(orders)
    built.execute(
        "comment on view analytics_staging.stg_alpaca__fills is 'dbt: something else'"
    )
    run(built, ["run", "--select", "stg_alpaca__fills", "stg_alpaca__orders"])
    assert built.query(fills) != before[0]
    assert built.query(orders) == before[1]


def test_a_run_of_some_models_takes_no_view_away(built: Database) -> None:
    view = "select 'analytics.active_positions'::regclass::oid"
    before = built.query(view)
    run(built, ["run", "--select", "stg_alpaca__orders", "int_executions__resolved"])
    assert built.query(view) == before


@pytest.mark.parametrize(
    "change",
    [
        "drop mark_count, add former numeric(38, 9)",
        "drop mark_count",
        "alter mark_count type integer",
    ],
)
def test_a_build_gives_its_tables_the_columns_of_their_models(
    built: Database, change: str
) -> None:
    # As after an upgrade.
    before, rows = built.query(COLUMNS), built.query(HISTORY)
    table = "analytics_intermediate.int_positions__excursions_found"
    built.execute(f"alter table {table} {change}")
    assert built.query(COLUMNS) != before
    build(built, data_tests=False)
    assert built.query(COLUMNS) == before
    assert built.query(HISTORY) == rows


def test_a_build_refuses_to_change_the_columns_that_people_read(
    built: Database,
) -> None:
    built.execute("alter table analytics.position_history add former text")
    with pytest.raises(BuildError, match="out of sync"):
        run(built, ["run", "--select", "+position_history"])


@pytest.mark.parametrize("options", [(), ("--full-refresh",)], ids=["run", "refresh"])
def test_of_two_builds_at_once_the_first_stops(
    built: Database, tmp_path: Path, options: tuple[str, ...]
) -> None:
    built.execute("update raw.fills set price = price + 1 where kind = 'fill'")

    def began(name: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [BIN / "dbt", "run", "--target-path", tmp_path / name, *options],
            cwd=ROOT,
            env=built.environment(DBT_LOG_PATH=str(tmp_path)),
            stdout=subprocess.PIPE,
            text=True,
        )

    with ExitStack() as stack:
        with closing(built.connect()) as holder, holder.cursor() as cursor:
            # Until the first has come to the legs, and the second waits for the first.
            cursor.execute(
                "lock analytics_intermediate.int_legs__built in exclusive mode"
            )
            first = stack.enter_context(began("first"))
            eventually(lambda: len(built.query(WAITING)), 1, timeout=90)
            second = stack.enter_context(began("second", *options))
            eventually(lambda: len(built.query(WAITING)), 2, timeout=90)
        said, _ = first.communicate()
        assert first.returncode == 1, said
        assert "another dbt build began while this one ran" in said
        said, _ = second.communicate()
        assert second.returncode == 0, said
    after = built.query(HISTORY)
    assert built.query(NOTED) == [(0,)]
    run(built, ["run", "--full-refresh"])
    assert built.query(HISTORY) == after


def test_archived_marks_stop_what_would_shrink(built: Database) -> None:
    before, opened = built.query(HISTORY), built.query(OPEN)
    built.execute(
        "insert into raw.archived_marks (utc_day, part, marks, sha256)"
        " values ('2025-03-05', 1, 1, '')"
    )
    with pytest.raises(BuildError, match="are archived, the first of 2025-03-05"):
        run(built, ["run", "--full-refresh"])
    assert built.query(HISTORY) == before
    assert built.query(OPEN) == opened
    # What needs no mark of that day goes on; a late fact of it does not.
    build(built, data_tests=False)
    built.execute(
        "insert into raw.changed_marks (symbol_id, hour_at)"
        " select symbol_id, timestamptz '2025-03-05 16:00Z' from raw.instruments"
    )
    with pytest.raises(BuildError, match="archived marks, the first of 2025-03-05"):
        build(built, data_tests=False)
    assert built.query(HISTORY) == before


def test_a_full_refresh_keeps_the_dates_of_the_statistics(built: Database) -> None:
    run(
        built,
        ["run", "--select", "strategy_stats"],
        vars={"as_of_date_from": "2025-03-05", "as_of_date_until": "2025-03-10"},
    )
    before = built.query(STATS)
    run(built, ["run", "--full-refresh"])
    assert built.query(STATS) == before
