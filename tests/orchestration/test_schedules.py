"""The date that a night's run is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from dagster import Definitions, build_schedule_context, validate_run_config

from orchestration.trading_dates import trading_date_of


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
    from orchestration.schedules import AS_OF_DATE_TAG, request_stats

    context = build_schedule_context(
        scheduled_execution_time=datetime(2026, 3, 9, 2, tzinfo=UTC)
    )

    request = request_stats(context)

    assert request.tags[AS_OF_DATE_TAG] == "2026-03-08"
    assert request.run_config["ops"] == {
        "dbt_build": {"config": {"as_of_date": "2026-03-08"}}
    }
    job = definitions.resolve_job_def("nightly_stats")
    assert validate_run_config(job, request.run_config)


def test_a_run_by_hand_needs_no_configuration(definitions: Definitions) -> None:
    from orchestration.dbt_assets import build_arguments

    assert validate_run_config(definitions.resolve_job_def("nightly_stats"))
    assert "--vars" not in build_arguments(None)


def test_what_is_no_date_never_reaches_sql() -> None:
    from orchestration.dbt_assets import build_arguments

    assert build_arguments("2026-03-08")[-1] == '{"as_of_date": "2026-03-08"}'
    with pytest.raises(ValueError, match="Invalid isoformat string"):
        build_arguments("2026-03-08' or true --")
