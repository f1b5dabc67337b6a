"""The date that a night's run is for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from dagster import (
    Definitions,
    PartitionKeyRange,
    RunRequest,
    SkipReason,
    build_schedule_context,
    validate_run_config,
)

from orchestration.trading_dates import NEW_YORK, trading_date_of
from tests.support.postgres import Database


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        # Winter: midnight in New York is 05:00 UTC.
        ("2026-01-15T02:00:00+00:00", date(2026, 1, 14)),
        ("2026-01-15T04:59:59+00:00", date(2026, 1, 14)),
        ("2026-01-15T05:00:00+00:00", date(2026, 1, 15)),
        # Summer: 04:00 UTC.
        ("2026-07-15T02:00:00+00:00", date(2026, 7, 14)),
        ("2026-07-15T03:59:59+00:00", date(2026, 7, 14)),
        ("2026-07-15T04:00:00+00:00", date(2026, 7, 15)),
        # Clocks go forward on 8 March 2026 at 07:00 UTC.
        ("2026-03-08T02:00:00+00:00", date(2026, 3, 7)),
        ("2026-03-08T04:59:59+00:00", date(2026, 3, 7)),
        ("2026-03-08T05:00:00+00:00", date(2026, 3, 8)),
        ("2026-03-09T02:00:00+00:00", date(2026, 3, 8)),
        ("2026-03-09T03:59:59+00:00", date(2026, 3, 8)),
        ("2026-03-09T04:00:00+00:00", date(2026, 3, 9)),
        # And back on 1 November 2026 at 06:00 UTC.
        ("2026-11-01T02:00:00+00:00", date(2026, 10, 31)),
        ("2026-11-01T03:59:59+00:00", date(2026, 10, 31)),
        ("2026-11-01T04:00:00+00:00", date(2026, 11, 1)),
        ("2026-11-02T02:00:00+00:00", date(2026, 11, 1)),
        ("2026-11-02T04:59:59+00:00", date(2026, 11, 1)),
        ("2026-11-02T05:00:00+00:00", date(2026, 11, 2)),
        # Any zone will do.
        ("2026-11-02T11:00:00+09:00", date(2026, 11, 1)),
    ],
)
def test_trading_date_of(instant: str, expected: date) -> None:
    assert trading_date_of(datetime.fromisoformat(instant)) == expected


def test_no_night_of_a_year_skips_or_repeats_a_date() -> None:
    nights = [
        datetime(2026, 1, 1, 2, tzinfo=UTC) + timedelta(days=n) for n in range(365)
    ]

    dates = [trading_date_of(night) for night in nights]

    assert dates == [date(2025, 12, 31) + timedelta(days=n) for n in range(365)]


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        trading_date_of(datetime(2026, 3, 8, 2))  # noqa: DTZ001


def test_a_night_asks_for_the_date_of_its_schedule(definitions: Definitions) -> None:
    from orchestration.schedules import request_stats

    context = build_schedule_context(
        scheduled_execution_time=datetime(2026, 3, 9, 2, tzinfo=UTC)
    )

    request = request_stats(context)

    assert request.partition_key == request.run_key == "2026-03-08"
    job = definitions.resolve_job_def("nightly_stats")
    assert job.partitions_def is not None
    evening = datetime(2026, 3, 8, 21, tzinfo=NEW_YORK)
    assert "2026-03-08" in job.partitions_def.get_partition_keys(current_time=evening)


def test_a_week_waits_for_archived_marks(
    database: Database, definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.schedules import request_full_refresh

    monkeypatch.setenv("DATABASE_URL", database.url)
    context = build_schedule_context()
    assert isinstance(request_full_refresh(context), RunRequest)

    database.execute(
        "insert into raw.archived_marks (utc_day, part, marks, sha256)"
        " values ('2025-03-03', 1, 5, 'x'), ('2025-03-03', 2, 1, 'y')"
    )

    asked = request_full_refresh(context)

    assert isinstance(asked, SkipReason)
    assert str(asked.skip_message).startswith("the marks of 1 day(s) are archived")
    # Whether they are is the run's to find out.
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert isinstance(request_full_refresh(context), RunRequest)


def test_a_run_by_hand_needs_no_configuration(definitions: Definitions) -> None:
    assert validate_run_config(definitions.resolve_job_def("nightly_stats"))


@dataclass
class Asked:
    """A step's context, as far as dates go."""

    partition_key_range: PartitionKeyRange
    has_partition_key: bool = False
    has_partition_key_range: bool = False


def test_the_dates_of_a_run() -> None:
    from orchestration.partitions import asked

    one = PartitionKeyRange("2026-03-08", "2026-03-08")
    some = PartitionKeyRange("2026-03-02", "2026-03-08")

    assert asked(Asked(one)) is None
    assert asked(Asked(one, has_partition_key=True)) == ("2026-03-08", "2026-03-08")
    assert asked(Asked(some, has_partition_key_range=True)) == (
        "2026-03-02",
        "2026-03-08",
    )
