"""The weekly run: equal tables pass, a row that no fact explains does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

from tests.support import wire
from tests.support.postgres import Database, replay

POSITIONS = "select id::text, pnl_dollars from analytics.position_history order by id"


def refresh(definitions: Definitions) -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("full_refresh").execute_in_process(
            instance=instance, raise_on_error=False
        )


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

    result = refresh(definitions)

    assert not result.success
    [failure] = [e for e in result.all_node_events if e.is_step_failure]
    told = str(failure.step_failure_data.user_failure_data.description)
    assert told.startswith("1 rows of the incremental tables are not those of a full")
    assert f"position_history: id {before[0][0]}" in told
    # The full refresh stands.
    assert used.query(POSITIONS) == before
