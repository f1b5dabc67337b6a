"""The stand-in's one clock: wall time, or the time of the recording that is played."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
OPEN, CLOSE = time_of_day(9, 30), time_of_day(16)


class Clock:
    """Tells the time that Alpaca would tell; safe to use from several threads.

    It is the wall clock until ``set`` gives it another time. The seconds that ``skew``
    gives are added to whatever it says.
    """

    def __init__(self, skew: Callable[[], float] = lambda: 0.0) -> None:
        self._lock = threading.Lock()
        self._instant: datetime | None = None
        self._since = 0.0
        self._speed = 1.0
        self._ceiling: datetime | None = None
        self._skew = skew

    def now(self) -> datetime:
        skew = timedelta(seconds=self._skew())
        with self._lock:
            if self._instant is None:
                return datetime.now(UTC) + skew
            elapsed = (time.monotonic() - self._since) * self._speed
            told = self._instant + timedelta(seconds=elapsed)
            if self._ceiling is not None:
                told = min(told, self._ceiling)
            return told + skew

    def set(
        self,
        instant: datetime | None,
        *,
        speed: float = 1.0,
        ceiling: datetime | None = None,
    ) -> None:
        """From now on it is ``instant``, going ``speed`` times as fast as real time.

        It stops at ``ceiling``. Without an instant it is the wall clock again.
        """
        with self._lock:
            self._instant = instant and instant.astimezone(UTC)
            self._since, self._speed = time.monotonic(), speed
            self._ceiling = ceiling

    def stop_at(self, ceiling: datetime) -> None:
        """Go on as before, but no further than this."""
        with self._lock:
            self._ceiling = ceiling


def is_open(instant: datetime) -> bool:
    """Whether the stock market trades: weekdays, 9:30 to 16:00; knows no holiday."""
    local = instant.astimezone(NEW_YORK)
    return local.weekday() < 5 and OPEN <= local.time() < CLOSE


def next_at(instant: datetime, moment: time_of_day) -> datetime:
    """The first weekday's ``moment`` in New York after ``instant``."""
    local = instant.astimezone(NEW_YORK)
    day: date = local.date()
    while True:
        found = datetime.combine(day, moment, NEW_YORK)
        if day.weekday() < 5 and found > local:
            return found
        day += timedelta(days=1)
