"""What the sensors see: new facts, tables that were written to, runs that failed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    RunRequest,
    SensorResult,
    SkipReason,
    build_run_status_sensor_context,
    build_sensor_context,
    job,
)

from tests.support import wire
from tests.support.postgres import Database, replay
from tests.support.webhook import listening

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
BEAT = """
insert into raw.heartbeats (account_name, live_since, last_event_at, beat_at)
values ('main', now(), '2026-03-02 15:00Z', now())
"""


@pytest.fixture
def used(built: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The built sample, as the database that the sensors ask."""
    monkeypatch.setenv("DATABASE_URL", built.url)
    return built


def test_a_new_fact_asks_for_one_run(used: Database, tmp_path: Any) -> None:
    from orchestration.sensors import new_facts

    with DagsterInstance.ephemeral() as instance:
        context = build_sensor_context(instance=instance)
        assert isinstance(new_facts(context), SkipReason)
        replay(used, [wire.line("trade_updates", wire.frame())], tmp_path)
        first, again = new_facts(context), new_facts(context)
        replay(used, [wire.line("orders", wire.order("another"))], tmp_path)
        later = new_facts(context)

    assert isinstance(first, RunRequest) and isinstance(again, RunRequest)
    assert isinstance(later, RunRequest)
    # A run of one key is launched once.
    assert first.run_key == again.run_key != later.run_key


def test_a_refresh_that_has_not_ended_is_waited_for(
    used: Database, tmp_path: Any
) -> None:
    from orchestration.sensors import new_facts

    @job(name="refresh_positions")
    def refresh() -> None: ...

    replay(used, [wire.line("trade_updates", wire.frame())], tmp_path)
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(refresh, status=DagsterRunStatus.STARTED)
        waiting = new_facts(build_sensor_context(instance=instance))
        instance.report_run_canceled(run)
        after = new_facts(build_sensor_context(instance=instance))

    assert isinstance(waiting, SkipReason)
    assert "has not ended yet" in str(waiting.skip_message)
    assert isinstance(after, RunRequest)


def test_marks_alone_ask_for_no_run(used: Database, tmp_path: Any) -> None:
    from orchestration.sensors import new_facts

    replay(used, [wire.line("stock_data", wire.quote("SPY"))], tmp_path)
    with DagsterInstance.ephemeral() as instance:
        assert isinstance(
            new_facts(build_sensor_context(instance=instance)), SkipReason
        )


def test_sensors_without_a_database_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.sensors import new_facts, raw_tables

    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    with DagsterInstance.ephemeral() as instance:
        for sensor in (new_facts, raw_tables):
            skipped = sensor(build_sensor_context(instance=instance))
            assert isinstance(skipped, SkipReason)
            assert "nothing listens at" in str(skipped.skip_message)


def test_raw_tables_are_seen_to_be_written(used: Database, tmp_path: Any) -> None:
    from orchestration.sensors import raw_tables

    def look(cursor: str | None) -> tuple[dict[str, Any], str]:
        used.query("select pg_stat_force_next_flush()")
        with DagsterInstance.ephemeral() as instance:
            context = build_sensor_context(instance=instance, cursor=cursor)
            found = raw_tables(context)
        assert isinstance(found, SensorResult) and found.cursor is not None
        events = {event.asset_key.path[-1]: event for event in found.asset_events}
        return events, found.cursor

    # The server's counts begin anew in a copy.
    replay(used, [wire.line("trade_updates", wire.frame())], tmp_path)
    first, cursor = look(None)
    assert {"fills", "orders"} <= set(first)
    assert not {"heartbeats", "marks"} & set(first)
    assert first["fills"].metadata["rows, about"].value > 0
    nothing, cursor = look(cursor)
    assert nothing == {}

    used.execute(BEAT + "; select pg_stat_force_next_flush()")
    quotes = [wire.quote("SPY"), wire.quote("SPY", t="2026-03-03T15:30:00Z")]
    replay(used, [wire.line("stock_data", quote) for quote in quotes], tmp_path)
    seen, cursor = look(cursor)
    assert {"heartbeats", "marks"} <= set(seen) and "fills" not in seen
    told = seen["marks"].metadata["account main"].value
    assert told.startswith("live, last event 2026-03-02 15:00:00+00, heartbeat 2")

    # A day that is archived takes its counts along.
    used.execute("drop table raw.marks_20260302")
    nothing, _ = look(cursor)
    assert nothing == {}


def test_a_failed_run_is_told(
    definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.sensors import failed_runs

    monkeypatch.setenv("DATABASE_URL", NOWHERE)
    monkeypatch.setattr("orchestration.dbt_runs.RETRIES", 0)
    monkeypatch.setenv("EXCURSION_DAGSTER_URL", "http://dagster.example/")
    job = definitions.resolve_job_def("refresh_positions")
    with listening() as (url, heard), DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("EXCURSION_WEBHOOK_URL", url)
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        context = build_run_status_sensor_context(
            sensor_name="failed_runs_sensor",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        ).for_run_failure()
        failed_runs(context)

    [told] = heard
    first, *reasons, last = json.loads(told)["text"].split("\n")
    assert first == "excursion: refresh_positions failed"
    assert reasons[0].startswith("positions: ")
    assert last == f"http://dagster.example/runs/{result.run_id}"


def test_without_a_webhook_nothing_is_sent(
    definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster import DefaultSensorStatus

    [sensor] = [s for s in definitions.sensors or [] if s.name == "failed_runs_sensor"]

    assert sensor.default_status is DefaultSensorStatus.STOPPED
