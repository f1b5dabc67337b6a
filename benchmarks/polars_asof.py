"""Excursions with Polars: join_asof of each mark to an interval between fills."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import polars as pl

from benchmarks.rivaldata import Columns

#: Marks that are joined at once, to bound memory; whole symbols.
CHUNK = 40_000_000


class Marks:
    """The usable marks by symbol and time, in pieces of whole symbols."""

    def __init__(self, days: Iterable[Columns]) -> None:
        frame = pl.concat([pl.DataFrame(day) for day in days])
        frame = frame.sort("symbol_id", "ts")
        self.count = frame.height
        starts = frame["symbol_id"].to_numpy()
        edges = [0]
        while edges[-1] < frame.height:
            last = starts[min(edges[-1] + CHUNK, frame.height) - 1]
            edges.append(int(np.searchsorted(starts, last, side="right")))
        self.pieces = [
            frame.slice(first, end - first) for first, end in pairwise(edges)
        ]

    def by_symbol(self) -> dict[int, Columns]:
        """Instants and prices of each symbol."""
        found = {}
        for piece in self.pieces:
            for (symbol_id,), frame in piece.group_by("symbol_id"):
                ordered = frame.sort("ts")
                found[int(symbol_id)] = {
                    name: ordered[name].to_numpy() for name in ("ts", "price")
                }
        return found


def excursions(legs: Columns, marks: Marks) -> Columns:
    """Each position's extremes and their first instants."""
    frame = pl.DataFrame(legs)
    observed = pl.concat([_reduced(frame, piece) for piece in marks.pieces])
    at_mark = (
        frame.join(observed, on=["position", "leg_number"])
        .with_columns(
            rising=pl.col("quantity") > 0,
            hi=(pl.col("hi") * 10_000).round().cast(pl.Int64),
            lo=(pl.col("lo") * 10_000).round().cast(pl.Int64),
        )
        .select(
            "position",
            *(
                _pick(best, worst, name)
                for name, best, worst in (
                    ("mfe", "hi", "lo"),
                    ("mae", "lo", "hi"),
                )
            ),
            *(
                pl.when("rising").then(best).otherwise(worst).alias(name)
                for name, best, worst in (
                    ("mfe_at", "hi_at", "lo_at"),
                    ("mae_at", "lo_at", "hi_at"),
                )
            ),
        )
    )
    value = pl.col("multiplier") * (
        pl.col("cash") + pl.col("quantity") * pl.col("price")
    )
    at_fill = frame.select(
        "position",
        mfe=value,
        mae=value,
        mfe_at=pl.col("starts"),
        mae_at=pl.col("starts"),
    )
    seen = pl.concat([at_fill, at_mark], how="diagonal")
    best = (
        seen.sort("mfe", "mfe_at", descending=[True, False])
        .group_by("position", maintain_order=True)
        .agg(pl.col("mfe", "mfe_at").first())
    )
    worst = (
        seen.sort("mae", "mae_at")
        .group_by("position", maintain_order=True)
        .agg(pl.col("mae", "mae_at").first())
    )
    found = best.join(worst, on="position").sort("position")
    return {name: found[name].to_numpy() for name in found.columns}


def _pick(best: str, worst: str, name: str) -> pl.Expr:
    """P&L at the price that is best for a long position, for a short the worst."""
    price = pl.when("rising").then(best).otherwise(worst)
    value = pl.col("multiplier") * (pl.col("cash") + pl.col("quantity") * price)
    return value.alias(name)


def _reduced(legs: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """The extreme prices of each leg of these symbols, with their first instants."""
    symbols = marks["symbol_id"].unique()
    held = legs.filter(pl.col("symbol_id").is_in(symbols.implode()))
    bounds = (
        pl.concat([held.select("symbol_id", bound=side) for side in ("starts", "ends")])
        .unique()
        .sort("symbol_id", "bound")
    )
    price = pl.col("price")
    intervals = (
        marks.join_asof(
            bounds,
            left_on="ts",
            right_on="bound",
            by="symbol_id",
            check_sortedness=False,
        )
        .lazy()
        .drop_nulls("bound")
        .group_by("symbol_id", "bound")
        .agg(
            hi=price.max(),
            lo=price.min(),
            hi_at=pl.col("ts").get(price.arg_max()),
            lo_at=pl.col("ts").get(price.arg_min()),
        )
    )
    covered = (
        held.lazy()
        .filter(pl.col("quantity") != 0)
        .join_where(
            intervals,
            pl.col("symbol_id") == pl.col("symbol_id_right"),
            pl.col("bound") >= pl.col("starts"),
            pl.col("bound") < pl.col("ends"),
        )
        .sort("bound")
        .group_by("position", "leg_number", maintain_order=True)
        .agg(
            hi=pl.col("hi").max(),
            lo=pl.col("lo").min(),
            hi_at=pl.col("hi_at").get(pl.col("hi").arg_max()),
            lo_at=pl.col("lo_at").get(pl.col("lo").arg_min()),
        )
    )
    return covered.collect()
