"""The weekly run: what is equal passes; what has no reason fails, and so does doubt."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

from tests.support import wire
from tests.support.ingester import eventually
from tests.support.postgres import Database, replay

POSITIONS = "select id::text, pnl_dollars from analytics.position_history order by id"
DERIVED_ALL = "select has_derived_all from analytics_intermediate.int_builds__scoped"
CUT = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and application_name = 'excursion-dbt'
"""


def refresh(definitions: Definitions) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("full_refresh").execute_in_process(
            instance=instance, raise_on_error=False
        )


def told_of_failure(result: ExecuteInProcessResult) -> str:
    assert not result.success
    [failure] = [e for e in result.all_node_events if e.is_step_failure]
    return str(failure.step_failure_data.user_failure_data.description)


@pytest.fixture
def used(built: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("DATABASE_URL", built.url)
    return built


def test_equal_tables_pass(
    used: Database, definitions: Definitions, tmp_path: Path
) -> None:
    # New facts are built first as in a night.
    replay(used, [wire.line("trade_updates", wire.frame())], tmp_path)
    before = used.query(POSITIONS)

    assert refresh(definitions).success

    assert used.query(POSITIONS) == before


def test_a_row_that_no_fact_explains_fails(
    used: Database, definitions: Definitions
) -> None:
    before = used.query(POSITIONS)
    used.execute(
        "update analytics.position_history set pnl_dollars = pnl_dollars + 1"
        " where id = %s::uuid",
        (before[0][0],),
    )

    told = told_of_failure(refresh(definitions))

    assert told.startswith("1 rows of the incremental tables are not those of a full")
    assert f"position_history: id {before[0][0]}" in told
    # The full refresh stands.
    assert used.query(POSITIONS) == before


def test_what_is_derived_anew_already_is_not_compared_with_itself(
    used: Database, definitions: Definitions
) -> None:
    # As a full refresh leaves it that was cut off.
    used.execute("update analytics_intermediate.int_builds__scoped set is_full = true")

    told = told_of_failure(refresh(definitions))

    assert told.startswith("Nothing was compared: this build had to derive everything")
    # The next one has something to compare.
    assert refresh(definitions).success


def test_a_database_lost_on_the_way_is_no_equality(
    used: Database, definitions: Definitions
) -> None:
    is_over = threading.Event()

    def cut() -> None:
        # The build before the full one begins, then that one.
        for is_full in (False, True):
            wanted = [(is_full,)]
            eventually(lambda: used.query(DERIVED_ALL) == wanted, timeout=120)  # noqa: B023
        # dbt tries a statement again: it is cut until it gives up.
        while not is_over.wait(0.1):
            used.query(CUT)

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        told = told_of_failure(refresh(definitions))
    finally:
        is_over.set()
        thread.join()

    assert told.startswith("Nothing was compared: the database was lost")
