"""One line of a table of results."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``ratio`` is to the line of the same table that says 1.00; empty: none."""

    what: str
    value: str
    ratio: str = ""

    @classmethod
    def of(
        cls, what: str, seconds: float, yardstick: float, rows: int, unit: str
    ) -> Figure:
        """Of seconds that something took for so many rows."""
        rate = f"{seconds:,.2f} s" if seconds < 100 else f"{seconds:,.0f} s"
        value = f"{rate}, {rows / seconds:,.0f} {unit}/s"
        return cls(what, value, ratio(seconds / yardstick))


def ratio(number: float) -> str:
    """Two significant digits at least, without the appearance of more."""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"


def table(figures: list[Figure], title: str = "what") -> list[str]:
    """The figures as a table of Markdown."""
    rows = [f"| {f.what} | {f.value} | {f.ratio} |" for f in figures]
    return [f"| {title} | figure | ratio |", "|---|---|---|", *rows]


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
