"""A night by hand, in a terminal."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tests.support.paths import ROOT, SAMPLE
from tests.support.postgres import Database, replay

DATE = '{"dagster/partition": "2025-03-10"}'
DATES = "select distinct as_of_date from analytics.strategy_stats order by 1"


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    """Of programs that work on the sample, with folders of their own."""
    replay(database, [SAMPLE], tmp_path)
    return database.environment(
        DAGSTER_HOME=str(tmp_path / "home"), DBT_TARGET_PATH=str(tmp_path / "target")
    )


@pytest.mark.long
def test_a_night_by_hand_with_a_process_for_each_step(
    database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nothing but the database is between the steps; records go where a URL says."""
    from orchestration import manifest

    shutil.copytree(manifest.target_path(), tmp_path / "target")
    (tmp_path / "home").mkdir()
    command = ["job", "execute", "-j", "nightly_stats", "--tags", DATE]
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *command, "-m", "orchestration.definitions"],
        cwd=ROOT,
        env={
            **environment,
            "EXCURSION_DAGSTER_EXECUTOR": "dagster:multiprocess_executor",
            "EXCURSION_DAGSTER_EXECUTOR_CONFIG": '{"max_concurrent": 1}',
            "EXCURSION_DAGSTER_RECORDS_URL": f"file://{tmp_path}/records",
        },
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert database.query(DATES) == [(date(2025, 3, 10),)]
    kept = {path.parent.name for path in tmp_path.glob("records/*/*/run_results.json")}
    assert kept == {"positions", "statistics"}
