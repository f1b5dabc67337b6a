"""Instants and the trading dates that they belong to."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def trading_date_of(instant: datetime) -> date:
    """The New York date of an instant: for 02:00 UTC, of the session just ended.

    Raises:
        ValueError: The instant has no zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no zone, so nobody knows its trading date")
    return instant.astimezone(NEW_YORK).date()
