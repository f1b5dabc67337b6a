"""Excursions as users compute them today: pandas, one position after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.rivaldata import Columns


class Loop:
    """Marks by symbol and legs by position are prepared before the clock starts."""

    def __init__(
        self, legs: Columns, marks: dict[int, Columns], positions: np.ndarray
    ) -> None:
        self._marks = {
            symbol_id: pd.Series(
                np.round(columns["price"] * 10_000).astype(np.int64),
                index=pd.DatetimeIndex(columns["ts"]),
            )
            for symbol_id, columns in marks.items()
        }
        frame = pd.DataFrame(legs).sort_values(["position", "leg_number"])
        chosen = frame[frame["position"].isin(positions)]
        self._legs = dict(list(chosen.groupby("position")))

    def excursions(self) -> Columns:
        """The P&L path of each position, then where it is highest and lowest."""
        rows = []
        for position, legs in self._legs.items():
            path = self._path(legs)
            # By place: a fill and a mark may share an instant.
            best, worst = path.argmax(), path.argmin()
            rows.append(
                (position, path.iloc[best], path.index[best], path.iloc[worst],
                 path.index[worst])
            )  # fmt: skip
        found = pd.DataFrame(
            rows, columns=["position", "mfe", "mfe_at", "mae", "mae_at"]
        )
        return {name: found[name].to_numpy() for name in found.columns}

    def _path(self, legs: pd.DataFrame) -> pd.Series:
        """P&L at each fill and mark of a position, in 1/10,000 dollars."""
        symbol = self._marks.get(legs["symbol_id"].iloc[0])
        parts = []
        for leg in legs.itertuples():
            at_fill = leg.multiplier * (leg.cash + leg.quantity * leg.price)
            parts.append(pd.Series([at_fill], index=[leg.starts]))
            if leg.quantity and symbol is not None:
                first, end = symbol.index.searchsorted([leg.starts, leg.ends])
                prices = symbol.iloc[first:end]
                parts.append(leg.multiplier * (leg.cash + leg.quantity * prices))
        return pd.concat(parts)
