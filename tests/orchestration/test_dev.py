"""`make dev`, started for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from dagster import Definitions

from tests.support.dagster_dev import ask, dev, free_port, stop
from tests.support.paths import ROOT
from tests.support.postgres import Database

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

QUERY = """
{
  assetNodes { assetKey { path } groupName }
  schedulesOrError(repositorySelector: {
    repositoryName: "__repository__",
    repositoryLocationName: "orchestration.definitions"
  }) { ... on Schedules { results { name scheduleState { status } } } }
}
"""


def test_dev_shows_the_assets_and_runs_the_schedule(
    empty_database: Database, definitions: Definitions, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    environment = empty_database.environment(DAGSTER_HOME=str(home))

    with dev(environment, tmp_path / "dev.log") as address:
        page = urlopen(address).read()
        answer = ask(address, QUERY)
        status, told = second(environment, tmp_path / "second.log")

    assert status == 1
    assert told.startswith(f"dev: Dagster runs on {home} already: ")
    assert b"<!doctype html>" in page.lower()
    shown = {"/".join(node["assetKey"]["path"]) for node in answer["assetNodes"]}
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert shown == {key.to_user_string() for key in keys}
    assert answer["schedulesOrError"]["results"] == [
        {"name": "full_refresh_schedule", "scheduleState": {"status": "RUNNING"}},
        {"name": "nightly_stats_schedule", "scheduleState": {"status": "RUNNING"}},
        {"name": "old_runs_schedule", "scheduleState": {"status": "RUNNING"}},
    ]
    # The database was migrated and Dagster's settings were put in place.
    assert empty_database.query("select count(*) from raw.fills") == [(0,)]
    settings = (home / "dagster.yaml").read_text()
    assert settings in (ROOT / "dagster.yaml").read_text()
    assert "telemetry" in settings and "storage:" not in settings


def second(environment: dict[str, str], log: Path) -> tuple[int, str]:
    """Exit status and errors of one more `make dev`."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "scripts/dev.py", "--port", str(free_port())],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            status = process.wait(60)
        finally:
            stop(process)
    return status, log.read_text()


@pytest.mark.parametrize(
    ("setting", "value", "message", "status"),
    [
        ("DATABASE_URL", NOWHERE, "nothing listens at ", 1),
        ("DAGSTER_POSTGRES_URL", "postgres://db/x", "write postgresql+psycopg2://", 2),
        (
            "DAGSTER_POSTGRES_URL",
            "postgresql+psycopg2://nobody@127.0.0.1:1/nothing",
            "nothing listens at ",
            1,
        ),
        ("EXCURSION_DAGSTER_EXECUTOR", "nonsense", "name it as module:name", 2),
        ("EXCURSION_DAGSTER_KEEP_DAYS", "lots", "give a whole number of days", 2),
        ("EXCURSION_MIN_FEATURE_COVERAGE_PCT", "101", "a number from 0 to 100", 2),
    ],
)
def test_what_dev_cannot_use_is_refused_in_one_line(
    setting: str, value: str, message: str, status: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/dev.py"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": NOWHERE,
            "DAGSTER_HOME": str(tmp_path),
            setting: value,
        },
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == status
    assert done.stderr.startswith("dev: ") and message in done.stderr
    assert done.stderr.count("\n") == 1
