"""Seeded randomness and exact text: everything that decides the bytes of a recording.

Two machines must write the same bytes, so nothing here depends on how a float
prints, on the C library's logarithm, or on parts of `random` that Python may change:
a stream draws from `random()` and `getrandbits()` of one Mersenne Twister only, and
every price, quantity and instant is an integer until it becomes text.

Units: an instant is microseconds since 1970-01-01 UTC; a mark's price is cents; a
fill's price is "points" of 1/10,000 dollar; a quantity is "nanos" of 1e-9 units.
"""

import hashlib
import random
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND

CENT = 100
"""Points in a cent."""

NANO = 1_000_000_000
"""Nanos in one share, contract or coin."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_EPOCH = date(1970, 1, 1).toordinal()


class Stream:
    """A source of random choices that no other source disturbs.

    Its seed is a hash of the plan's seed and of its own name, so that adding a symbol
    or a bot leaves the choices of all others as they were.
    """

    def __init__(self, seed: int, *name: object) -> None:
        text = "/".join(str(part) for part in (seed, *name))
        digest = hashlib.sha256(text.encode()).digest()
        self._source = random.Random(int.from_bytes(digest))  # noqa: S311 (no secrets)

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return int(self._source.random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both possible."""
        return low + int(self._source.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True in this share of the calls."""
        return self._source.random() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, all equally likely."""
        return choices[int(self._source.random() * len(choices))]

    def octets(self, count: int) -> bytes:
        """So many random bytes."""
        return self._source.getrandbits(8 * count).to_bytes(count)

    def uuid(self) -> str:
        """A random (version 4) UUID."""
        text = f"{self._source.getrandbits(128):032x}"
        return (
            f"{text[:8]}-{text[8:12]}-4{text[13:16]}"
            f"-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"
        )

    def ulid(self, instant: int) -> str:
        """A sortable id of an event: its millisecond, then 80 random bits."""
        number = instant // 1000 << 80 | self._source.getrandbits(80)
        return "".join(
            _CROCKFORD[number >> 5 * place & 31] for place in range(25, -1, -1)
        )


@lru_cache(maxsize=16)
def _date_text(days: int) -> str:
    return date.fromordinal(_EPOCH + days).isoformat()


@lru_cache(maxsize=1 << 17)
def _clock_text(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def midnight(day: date) -> int:
    """The instant at which the UTC date begins."""
    return (day.toordinal() - _EPOCH) * DAY


def second_text(instant: int) -> str:
    """`2025-03-03T14:30:05`: the whole second of an instant."""
    days, rest = divmod(instant, DAY)
    return f"{_date_text(days)}T{_clock_text(rest // SECOND)}"


def instant_text(instant: int) -> str:
    """`2025-03-03T14:30:05.000123Z`."""
    return f"{second_text(instant)}.{instant % SECOND:06d}Z"


def nano_instant_text(instant: int, nanos: int) -> str:
    """`2025-03-03T14:30:05.000123456Z`: an instant to the nanosecond."""
    return f"{second_text(instant)}.{instant % SECOND:06d}{nanos:03d}Z"


def decimal_text(value: int, places: int) -> str:
    """A count of 10^-places as the shortest decimal: (1874200, 4) -> 187.42."""
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), 10**places)
    fraction = f"{part:0{places}d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def price_text(points: int) -> str:
    """Points as dollars, as trading frames and REST rows spell them."""
    return decimal_text(points, 4)


def qty_text(nanos: int) -> str:
    """Nanos as units, likewise."""
    return decimal_text(nanos, 9)


def cents_text(cents: int) -> bytes:
    """A mark's price as a JSON number of two places."""
    return b"%d.%02d" % divmod(cents, 100)
