"""What a person sees and does in Dagster's web interface."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterInstance
from playwright.sync_api import expect

from tests.support.browser import Browser, browser
from tests.support.dagster_dev import ask, dev
from tests.support.faults import FAULTS
from tests.support.ingester import eventually
from tests.support.paths import SAMPLE
from tests.support.postgres import Database, replay
from tests.support.webhook import listening

#: Seconds until a run that was launched has ended, behind the one of the sensor.
PATIENCE = 300

CHECK = "position_history_best_is_at_least_zero_and_pnl"
STATISTICS = "select * from analytics.strategy_stats order by 1, 2, 3, 4, 5, 6"
ENDED = '{ runOrError(runId: "%s") { ... on Run { endTime } } }'


@pytest.mark.long
def test_a_person_builds_all_sees_a_fault_and_the_statistics_stay(
    database: Database, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay(database, [SAMPLE], tmp_path)
    shutil.copytree(target, tmp_path / "target")
    hear_of_the_ingester(tmp_path / "home", monkeypatch)
    with (
        listening() as (webhook, heard),
        dev(
            database.environment(
                DAGSTER_HOME=str(tmp_path / "home"),
                DBT_TARGET_PATH=str(tmp_path / "target"),
                EXCURSION_WEBHOOK_URL=webhook,
            ),
            tmp_path / "dev.log",
        ) as address,
        browser("dagster") as seen,
    ):
        see_the_graph(seen, address)
        materialize_all(seen, address, "2025-03-14")
        assert see_the_end(seen, address) == "Success"
        see_the_silence(seen, address)
        before = database.query(STATISTICS)
        assert len(before) > 50
        assert see_the_check(seen, address) == "Passed"
        assert not heard

        # A best P&L below the last one.
        database.execute(FAULTS[CHECK])
        materialize_all(seen, address, "2025-03-14")
        assert see_the_end(seen, address) == "Failure"
        assert see_the_check(seen, address) == "Failed"
        assert database.query(STATISTICS) == before

        eventually(lambda: len(heard), 1, PATIENCE)
    told = json.loads(heard[0])["text"]
    assert told.startswith("excursion: a run by hand for 2025-03-14 failed\n")
    assert f"check {CHECK} of position_history did not pass" in told


def hear_of_the_ingester(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Dagster had seen its last heartbeat an hour ago."""
    home.mkdir()
    an_hour_ago = time.time() - 3_600
    with (
        DagsterInstance.from_config(str(home)) as instance,
        monkeypatch.context() as at,
    ):
        at.setattr("time.time", lambda: an_hour_ago)
        heartbeats = AssetKey(["alpaca", "heartbeats"])
        instance.report_runless_asset_event(AssetMaterialization(heartbeats))


def see_the_graph(seen: Browser, address: str) -> None:
    seen.page.goto(f"{address}asset-groups")
    for group in ("raw", "staging", "intermediate", "marts", "seeds"):
        expect(seen.page.get_by_text(group, exact=True).first).to_be_visible()
    seen.picture("asset-graph")


def see_the_silence(seen: Browser, address: str) -> None:
    seen.page.goto(f"{address}assets/alpaca/heartbeats")
    freshness = seen.page.get_by_text("Freshness policy", exact=True).first
    expect(freshness.locator("xpath=../..")).to_contain_text("Failed")
    seen.picture("silent-ingester")


def materialize_all(seen: Browser, address: str, date: str) -> None:
    """Press "Materialize all", choose the date, launch, and open the run."""
    page = seen.page
    page.goto(f"{address}asset-groups")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Show all partitions").click()
    dates = page.locator("input[placeholder^='ex:']")
    dates.fill(date)
    dates.press("Enter")
    seen.picture("materialize-all")
    page.get_by_role("button", name="Launch 1 run").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto(f"{address}runs")
    expect(page.get_by_text(f"partition: {date}").first).to_be_visible()
    page.locator("a[href*='/runs/']").first.click()


def see_the_end(seen: Browser, address: str) -> str:
    """See the run once it has ended; returns how.

    Meanwhile its page is closed: to draw each line of the log as it comes takes a core
    longer than the run itself.
    """
    page = seen.page
    run = page.url
    page.goto("about:blank")
    query = ENDED % run.rpartition("/runs/")[2].partition("?")[0]
    # Each question costs Dagster a tenth of a second.
    eventually(lambda: has_ended(address, query), True, PATIENCE, pause=1)
    page.goto(run)
    ended = page.get_by_text(re.compile("^(Success|Failure)$")).first
    expect(ended).to_be_visible()
    seen.picture("run")
    return ended.inner_text()


def has_ended(address: str, query: str) -> bool:
    return bool(ask(address, query)["runOrError"]["endTime"])


def see_the_check(seen: Browser, address: str) -> str:
    """Open the check of position_history; returns what it says."""
    page = seen.page
    page.goto(f"{address}assets/position_history?view=checks&checkDetail={CHECK}")
    result = page.get_by_text("Evaluation result", exact=True).locator("xpath=..")
    expect(result).to_have_text(re.compile("(Passed|Failed)$"))
    seen.picture("check")
    return result.inner_text().split()[-1]
