"""The sizes: what each promises, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """A plan of the generator by name.

    ``disk`` is in bytes and at the worst; ``repeats`` how often each figure is taken,
    unless told; ``replay_repeats`` likewise for replay, 0: it is not measured.
    """

    name: str
    least_marks: int
    least_positions: int
    disk: int
    repeats: int
    replay_repeats: int
    duration: str


SIZES = {
    size.name: size
    for size in (
        Size("small", 900_000, 9_000, 4 * 10**9, 5, 3, "about four minutes"),
        Size("medium", 18_000_000, 90_000, 35 * 10**9, 3, 1, "about half an hour"),
        Size("large", 120_000_000, 900_000, 50 * 10**9, 3, 0, "about an hour"),
    )
}
