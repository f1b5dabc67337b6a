"""How old an asset may be before it turns red."""

from __future__ import annotations

from datetime import timedelta

from dagster import FreshnessPolicy

#: Marks come many times a minute while the stock market is open. Judged each quarter of
#: an hour from 10:00 to 15:45 in New York by the quarter before, so that nothing turns
#: red at night or on a weekend; on a holiday of the exchange it does.
MARKET_HOURS = FreshnessPolicy.cron(
    deadline_cron="0,15,30,45 10-15 * * 1-5",
    lower_bound_delta=timedelta(minutes=15),
    timezone="America/New_York",
)

#: The ingester writes its heartbeat every few seconds, day and night, and the sensor
#: looks every five minutes.
ALIVE = FreshnessPolicy.time_window(fail_window=timedelta(minutes=12))

#: The night's run begins at 02:00 UTC and takes minutes.
NIGHTLY = FreshnessPolicy.cron(
    deadline_cron="0 4 * * *", lower_bound_delta=timedelta(hours=2)
)

#: By asset key. Of the other raw tables hours without a row are normal.
POLICIES: dict[str, FreshnessPolicy] = {
    "alpaca/heartbeats": ALIVE,
    "alpaca/marks": MARKET_HOURS,
    "position_history": NIGHTLY,
    "strategy_stats": NIGHTLY,
}
