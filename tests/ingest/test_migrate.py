"""Migrations: applied once, together, and believed only when seen in the catalog."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from ingest import migrate
from ingest.errors import ExcursionError
from tests.support.postgres import Database


def run(database: Database) -> migrate.Outcome:
    with closing(database.connect()) as connection:
        return migrate.migrate(connection)


def test_a_second_run_has_nothing_to_do(empty_database: Database) -> None:
    first, second = run(empty_database), run(empty_database)
    assert len(first.applied) == first.in_place == len(migrate.packaged())
    assert second.applied == []
    assert first.tables > 8
    assert first.constraints > 8


def test_runs_at_once_apply_each_file_once(empty_database: Database) -> None:
    applied: list[str] = []
    errors: list[BaseException] = []

    def migrate_once() -> None:
        try:
            applied.extend(run(empty_database).applied)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=migrate_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(applied) == sorted({*applied})
    assert len(applied) == len(migrate.packaged())


def test_a_file_that_fails_leaves_nothing_behind(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = migrate.packaged()
    bad = migrate.Migration(
        len(good) + 1, "bad", "create table raw.half (x int); oops", ""
    )
    monkeypatch.setattr(migrate, "packaged", lambda: [*good, bad])
    with pytest.raises(ExcursionError, match=r"_bad failed and was rolled back.*oops"):
        run(empty_database)
    assert empty_database.query(
        "select to_regclass('raw.half'), max(version) from raw.schema_migrations"
    ) == [(None, len(good))]


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("drop table raw.heartbeats", "table raw.heartbeats"),
        ("drop index raw.fills_lane", "index raw.fills_lane"),
        ("drop aggregate raw.product(numeric)", "function raw.product"),
        (
            "alter table raw.fills drop constraint fills_side_known",
            "validated constraint fills_side_known",
        ),
        (
            "alter table raw.fills drop constraint fills_side_known;"
            " alter table raw.fills add constraint fills_side_known"
            " check (side in ('buy', 'sell')) not valid",
            "validated constraint fills_side_known",
        ),
    ],
)
def test_success_is_not_said_of_what_is_not_there(
    database: Database, damage: str, missing: str
) -> None:
    database.execute(damage)
    with closing(database.connect()) as connection:
        with pytest.raises(migrate.NotMigratedError, match=missing):
            migrate.inspect(connection)


def test_an_applied_file_may_not_change(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *rest = migrate.packaged()
    monkeypatch.setattr(
        migrate, "packaged", lambda: [replace(first, checksum="x"), *rest]
    )
    with pytest.raises(migrate.NotMigratedError, match="0001 was changed"):
        run(database)


def test_a_newer_database_is_refused(database: Database) -> None:
    database.execute(
        "insert into raw.schema_migrations (version, name, checksum)"
        " values (9999, 'x', 'x')"
    )
    with pytest.raises(migrate.NotMigratedError, match="upgrade excursion"):
        run(database)


def test_a_database_without_migrations_says_what_to_run(
    empty_database: Database,
) -> None:
    with closing(empty_database.connect()) as connection:
        with pytest.raises(migrate.NotMigratedError, match="run `excursion migrate`"):
            migrate.require_migrated(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into raw.instruments (symbol, asset_class, ticker, multiplier)"
        " values ('X', 'bond', 'X', 1)",
        "insert into raw.instruments (symbol, asset_class, ticker, multiplier)"
        " values ('X', 'us_option', 'X', 100)",
        "insert into raw.dispatch_recommendations (recommendation_id, strategy_type,"
        " created_at) values ('r', 'yolo', now())",
        "insert into raw.dispatch_executions (execution_uuid, account_name, intent,"
        " created_at) values (gen_random_uuid(), 'a', 'hope', now())",
    ],
)
def test_checks_refuse_bad_rows(database: Database, statement: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        database.execute(statement)


def test_a_manual_trade_needs_no_strategy(database: Database) -> None:
    database.execute(
        "insert into raw.dispatch_executions (execution_uuid, account_name, intent,"
        " created_at) values (gen_random_uuid(), 'a', 'entry', now())"
    )


@pytest.mark.parametrize(
    ("open_quantity", "moves", "amount", "split_to", "expected"),
    [
        ("10", "trade", "-10", None, "0"),
        ("10", "trade", "-15", None, "-5"),
        # A remainder under 1e-8 is dust; 1e-8 itself is not.
        ("10", "trade", "-9.999999991", None, "0"),
        ("10", "trade", "-9.99999999", None, "0.00000001"),
        ("10", "trade", "-10.000000005", None, "0"),
        ("0", "trade", "0.000000005", None, "0"),
        # A closing event takes a magnitude, at most what is open.
        ("3", "close", "1", None, "2"),
        ("-3", "close", "1", None, "-2"),
        ("-3", "close", "5", None, "0"),
        ("0", "close", "5", None, "0"),
        ("10", "split", "10", "40", "40"),
        ("-10", "split", "10", "40", "-40"),
        ("5", "split", "10", "1", "0.5"),
        ("0", "split", "10", "40", "0"),
    ],
)
def test_the_steps_of_an_open_quantity(
    database: Database,
    open_quantity: str,
    moves: str,
    amount: str,
    split_to: str | None,
    expected: str,
) -> None:
    assert database.query(
        "select raw.next_open_quantity(%s, %s, %s, %s) = %s::numeric",
        (open_quantity, moves, amount, split_to, expected),
    ) == [(True,)]
