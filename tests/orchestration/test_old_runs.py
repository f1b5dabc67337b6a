"""Refreshes are forgotten after some days, nights are not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions, job, op


@op
def nothing() -> None: ...


@job(name="refresh_positions")
def refresh() -> None:
    nothing()


@job(name="nightly_stats")
def night() -> None:
    nothing()


def test_refreshes_are_forgotten(
    definitions: Definitions,
    dagster_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget = definitions.resolve_job_def("old_runs")
    with DagsterInstance.from_config(str(dagster_home)) as instance:
        kept = night.execute_in_process(instance=instance).run_id
        old = refresh.execute_in_process(instance=instance).run_id
        forget.execute_in_process(instance=instance)
        assert instance.get_run_by_id(old) is not None
        assert files_of(old, dagster_home)

        monkeypatch.setenv("EXCURSION_DAGSTER_KEEP_DAYS", "0")
        time.sleep(1)  # Dagster counts whole seconds
        forget.execute_in_process(instance=instance)

        assert instance.get_run_by_id(old) is None
        assert instance.get_run_by_id(kept) is not None
    assert not files_of(old, dagster_home)
    assert files_of(kept, dagster_home)


def files_of(run_id: str, home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if run_id in path.name]
