"""New York's clock and the exchange's calendar, for the years the plans use.

Rules and a table instead of a time zone database: the bytes of a recording must not
depend on which tzdata a machine has, nor on whether it has one.
"""

from datetime import date, timedelta

from ingest.generator.text import MINUTE, midnight

SESSION = 390 * MINUTE
"""Length of a regular session, 09:30 to 16:00 New York."""

_HOLIDAYS = """
2024-01-01 2024-01-15 2024-02-19 2024-03-29 2024-05-27 2024-06-19 2024-07-04 2024-09-02
2024-11-28 2024-12-25 2025-01-01 2025-01-09 2025-01-20 2025-02-17 2025-04-18 2025-05-26
2025-06-19 2025-07-04 2025-09-01 2025-11-27 2025-12-25
"""

_SHORT_DAYS = "2024-07-03 2024-11-29 2024-12-24 2025-07-03 2025-11-28 2025-12-24"
"""Days that end at 13:00. The plans leave them out: each of their sessions is whole."""

_NO_SESSION = frozenset((_HOLIDAYS + _SHORT_DAYS).split())


def _sunday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))


def new_york_hours(day: date) -> int:
    """Hours that New York is behind UTC on the day: 4 in summer, else 5."""
    summer = _sunday(day.year, 3, 2) <= day < _sunday(day.year, 11, 1)
    return 4 if summer else 5


def new_york_instant(day: date, minutes: int) -> int:
    """The instant of a New York wall clock time, in minutes after midnight."""
    return midnight(day) + (60 * new_york_hours(day) + minutes) * MINUTE


def session_open(day: date) -> int:
    """The instant of 09:30 New York."""
    return new_york_instant(day, 9 * 60 + 30)


def trading_days(first: date, count: int) -> list[date]:
    """The next `count` whole trading days, from `first` on."""
    days: list[date] = []
    day = first
    while len(days) < count:
        if not 2024 <= day.year <= 2025:
            raise ValueError(f"no calendar of holidays for {day.year}")
        if day.weekday() < 5 and day.isoformat() not in _NO_SESSION:
            days.append(day)
        day += timedelta(days=1)
    return days
