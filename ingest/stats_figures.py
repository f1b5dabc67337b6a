"""The numbers of ``excursion stats``, with their intervals, from rows of the marts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from ingest import estimates

#: Fewer trades than this are too few to rely on, as strategy_stats.is_reliable says.
RELIABLE_TRADES = 30

#: Percentiles of depth (MAE) and height (MFE), those of strategy_stats.
EXCURSION_PERCENTILES = (50, 70, 80, 90)
HOLDING_PERCENTILES = (25, 50, 75, 90)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of the answer.

    Attributes:
        question: ``normal``, ``losers``, ``holding``, ``exit_reasons`` or ``top``.
        metric: Its name, ending in its unit where it has one: ``_pct`` percent of the
            entry notional, ``_dollars``, ``_min`` minutes; rates and shares are 0 to 1.
        value: None where the sample has no such number (no loss, no winner).
        n: How many positions it is made of.
        low: Lower end of its 95 % interval, None where there is none.
        high: Upper end.
    """

    question: str
    metric: str
    value: Decimal | None
    n: int
    low: Decimal | None = None
    high: Decimal | None = None


class Position(NamedTuple):
    """A closed position, as ``reports/stats_positions.sql`` gives it."""

    asset_type: str
    exit_reason: str
    win_loss_label: int
    pnl_pct: Decimal
    net_pnl_dollars: Decimal
    mae_pct: Decimal
    mfe_pct: Decimal
    give_back_pct: Decimal
    holding_min: Decimal


@dataclass(frozen=True, kw_only=True)
class Group:
    """One line of a list: an exit reason, or a ticker with a strategy."""

    names: tuple[str, ...]
    n: int
    is_reliable: bool
    figures: dict[str, Figure]


def by_metric(figures: Iterator[Figure]) -> dict[str, Figure]:
    return {figure.metric: figure for figure in figures}


def _quantile(
    question: str, metric: str, values: Sequence[Decimal], percent: int
) -> Figure:
    ordered, p = sorted(values), Decimal(percent) / 100
    low, high = estimates.quantile_interval(ordered, p) or (None, None)
    return Figure(
        question=question,
        metric=metric,
        value=estimates.quantile(ordered, p),
        n=len(ordered),
        low=low,
        high=high,
    )


def _share(question: str, metric: str, successes: int, trials: int) -> Figure:
    low, high = estimates.wilson_interval(successes, trials) or (None, None)
    value = Decimal(successes) / trials if trials else None
    return Figure(
        question=question, metric=metric, value=value, n=trials, low=low, high=high
    )


def normal(row: dict[str, Any], positions: list[Position]) -> Iterator[Figure]:
    """From strategy_stats; only the returns' intervals need the positions."""
    n: int = row["n_trades"]
    yield Figure(
        question="normal",
        metric="win_rate",
        value=row["win_rate"],
        n=n,
        low=row["win_rate_low"],
        high=row["win_rate_high"],
    )
    returns = sorted(position.pnl_pct for position in positions)
    for metric, column, percent in (
        ("median_return_pct", "median_return", 50),
        ("return_p10_pct", "return_p10", 10),
        ("return_p25_pct", "return_p25", 25),
        ("return_p75_pct", "return_p75", 75),
        ("return_p90_pct", "return_p90", 90),
    ):
        interval = estimates.quantile_interval(returns, Decimal(percent) / 100)
        low, high = interval or (None, None)
        yield Figure(
            question="normal", metric=metric, value=row[column], n=n, low=low, high=high
        )
    for metric, column in (
        ("avg_return_pct", "avg_return"),
        ("expectancy_dollars", "expectancy_dollars"),
        ("profit_factor", "profit_factor"),
        ("payoff_ratio", "payoff_ratio"),
        ("avg_mae_pct", "avg_mae"),
        ("avg_mfe_pct", "avg_mfe"),
        ("max_drawdown_dollars", "max_drawdown"),
        ("sharpe", "sharpe"),
    ):
        yield Figure(question="normal", metric=metric, value=row[column], n=n)


def losers(positions: list[Position]) -> Iterator[Figure]:
    for who, label in (("loser", -1), ("winner", 1)):
        chosen = [p for p in positions if p.win_loss_label == label]
        mae, mfe = [p.mae_pct for p in chosen], [p.mfe_pct for p in chosen]
        for percent in EXCURSION_PERCENTILES:
            yield _quantile("losers", f"{who}_mae_p{percent}_pct", mae, percent)
        for percent in EXCURSION_PERCENTILES:
            yield _quantile("losers", f"{who}_mfe_p{percent}_pct", mfe, percent)
        never = sum(1 for height in mfe if height <= 0)
        yield _share("losers", f"{who}_never_in_profit_share", never, len(chosen))
        given = [p.give_back_pct for p in chosen]
        yield _quantile("losers", f"{who}_median_give_back_pct", given, 50)
        returns = [p.pnl_pct for p in chosen]
        yield _quantile("losers", f"{who}_median_return_pct", returns, 50)
        dollars = [p.net_pnl_dollars for p in chosen]
        yield _quantile("losers", f"{who}_median_net_dollars", dollars, 50)
        average = estimates.mean(dollars)
        metric = f"{who}_avg_net_dollars"
        yield Figure(question="losers", metric=metric, value=average, n=len(chosen))


def holding(positions: list[Position]) -> Iterator[Figure]:
    for who, label in (("winner", 1), ("loser", -1)):
        minutes = [p.holding_min for p in positions if p.win_loss_label == label]
        for percent in HOLDING_PERCENTILES:
            yield _quantile("holding", f"{who}_p{percent}_min", minutes, percent)
        yield Figure(
            question="holding",
            metric=f"{who}_avg_min",
            value=estimates.mean(minutes),
            n=len(minutes),
        )


def exit_reasons(positions: list[Position]) -> list[Group]:
    by_reason: dict[str, list[Position]] = {}
    for position in positions:
        by_reason.setdefault(position.exit_reason, []).append(position)
    groups = []
    for reason, chosen in by_reason.items():
        n, where = len(chosen), "exit_reasons"
        wins = sum(1 for p in chosen if p.win_loss_label == 1)
        sums = {
            "avg_mae_pct": estimates.mean([p.mae_pct for p in chosen]),
            "avg_mfe_pct": estimates.mean([p.mfe_pct for p in chosen]),
            "net_pnl_dollars": sum((p.net_pnl_dollars for p in chosen), Decimal(0)),
        }
        figures = [
            _share(where, "share", n, len(positions)),
            _share(where, "win_rate", wins, n),
            _quantile(where, "median_return_pct", [p.pnl_pct for p in chosen], 50),
            *(
                Figure(question=where, metric=metric, value=value, n=n)
                for metric, value in sums.items()
            ),
        ]
        groups.append(
            Group(
                names=(reason,),
                n=n,
                is_reliable=n >= RELIABLE_TRADES,
                figures={figure.metric: figure for figure in figures},
            )
        )
    return sorted(groups, key=lambda group: (-group.n, group.names))


def top_group(
    ticker: str,
    strategy: str,
    n: int,
    win_rate: Decimal,
    low: Decimal,
    high: Decimal,
    *rest: Any,
) -> Group:
    *values, is_reliable = rest
    metrics = (
        "median_return_pct",
        "expectancy_dollars",
        "profit_factor",
        "median_hold_win_min",
    )
    figures = {
        metric: Figure(question="top", metric=metric, value=value, n=n)
        for metric, value in zip(metrics, values, strict=True)
    }
    figures["win_rate"] = Figure(
        question="top", metric="win_rate", value=win_rate, n=n, low=low, high=high
    )
    return Group(
        names=(ticker, strategy), n=n, is_reliable=is_reliable, figures=figures
    )
