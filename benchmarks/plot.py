"""The cost of a night against history, as a picture for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.nightly import Step

FULL, NIGHT, SHARE = "#b3541e", "#1f6f8b", "#8a8a8a"


def draw(steps: Sequence[Step], path: Path) -> None:
    """Full refresh and night over the marks of the history, both axes logarithmic."""
    marks = [step.marks / 1e6 for step in steps]
    lines = (
        ("full refresh", FULL, "-", [step.full for step in steps]),
        ("night: one more day", NIGHT, "-", [step.night for step in steps]),
        ("that day's share of a full refresh", SHARE, "--", [s.share for s in steps]),
    )
    with mpl.rc_context({"font.size": 11, "svg.hashsalt": "excursion"}):
        figure = Figure(figsize=(7.5, 4.5), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        for name, color, style, seconds in lines:
            axes.plot(marks, seconds, style, color=color, marker="o", linewidth=2)
            axes.annotate(
                name,
                (marks[-1], seconds[-1]),
                # On the side from which the line does not come.
                xytext=(0, 9) if seconds[-1] >= seconds[0] else (0, -18),
                textcoords="offset points",
                ha="right",
                color=color,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(
            marks,
            [f"{m:.1f}\n{s.days} days" for m, s in zip(marks, steps, strict=True)],
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        lowest = min(min(seconds) for *_, seconds in lines)
        highest = max(max(seconds) for *_, seconds in lines)
        axes.set_ylim(lowest / 2, highest * 2.5)
        axes.set_xlabel("marks in the history, millions")
        axes.set_ylabel("database work, seconds")
        axes.set_title("Cost of a night against history", loc="left")
        axes.grid(True, which="major", color="#dddddd", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        # Without the date and the version the same figures give the same bytes.
        figure.savefig(path, metadata={"Software": None})
