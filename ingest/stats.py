"""The three questions, answered from the marts.

*What is normal?* comes from ``analytics.strategy_stats``; *What does a loser look
like?* and *How long do winners usually take?* from the positions of
``analytics.position_history`` that its row counts, so all figures share one window.
``ingest.stats_output`` shows them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest import estimates
from ingest.errors import ExcursionError, UsageError
from ingest.sql import statement

#: Fewer trades than this are too few to rely on, as strategy_stats.is_reliable says.
RELIABLE_TRADES = 30

#: How many (ticker, strategy) pairs and known tickers are listed.
TOP_ROWS = 10
LISTED_TICKERS = 12

#: Percentiles of depth (MAE) and height (MFE), those of strategy_stats.
EXCURSION_PERCENTILES = (50, 70, 80, 90)
HOLDING_PERCENTILES = (25, 50, 75, 90)

NOT_BUILT = (
    "no statistics yet: replay a recording (`excursion replay FILE`), then run `dbt"
    " build`; `excursion demo` does both with generated data"
)


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


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that ``excursion stats`` tells.

    Attributes:
        ticker: None for all tickers.
        strategy: None for all strategies.
        as_of_date: Last trading date whose exits count.
        lookback_days: How many days of exits count.
        n_trades: Closed positions in the window.
        is_reliable: Whether they are enough to rely on.
        figures: ``figures[question][metric]``.
        exit_reasons: Most frequent first.
        top: Pairs of ticker and strategy, most traded first; empty for one ticker.
    """

    ticker: str | None
    strategy: str | None
    as_of_date: date
    lookback_days: int
    n_trades: int
    is_reliable: bool
    figures: dict[str, dict[str, Figure]]
    exit_reasons: list[Group]
    top: list[Group]

    @property
    def exits_from(self) -> date:
        """First trading date whose exits count."""
        return self.as_of_date - timedelta(days=self.lookback_days - 1)


def report(
    connection: Connection,
    *,
    ticker: str | None = None,
    strategy: str | None = None,
    as_of: date | None = None,
    lookback_days: int | None = None,
) -> Report:
    """Gather the answers.

    Args:
        connection: The database; it is only read.
        ticker: Underlying, None for all.
        strategy: Strategy type or ``unassigned``, None for all.
        as_of: A date that strategy_stats was computed for; default: the latest.
        lookback_days: A window that it was computed with; default: the longest.

    Raises:
        ExcursionError: Nothing was built, or nothing fits; the message says what to do.
    """
    wanted: dict[str, Any] = {"ticker": ticker, "strategy": strategy}
    with connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        try:
            cursor.execute(statement("reports/stats_dates"))
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            raise ExcursionError(NOT_BUILT) from None
        window = _window(cursor.fetchall(), as_of, lookback_days)
        wanted["as_of_date"], wanted["lookback_days"] = window
        cursor.execute(statement("reports/stats_row"), wanted)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(statement("reports/stats_tickers"), wanted)
            raise _nothing_fits([name for (name,) in cursor.fetchall()], wanted)
        assert cursor.description is not None
        normal = dict(zip((c.name for c in cursor.description), row, strict=True))
        cursor.execute(statement("reports/stats_positions"), wanted)
        positions = [Position(*values) for values in cursor.fetchall()]
        top: list[Group] = []
        if ticker is None:
            cursor.execute(
                statement("reports/stats_top"), {**wanted, "limit": TOP_ROWS}
            )
            top = [_top_group(*values) for values in cursor.fetchall()]
    return Report(
        ticker=ticker,
        strategy=strategy,
        as_of_date=window[0],
        lookback_days=window[1],
        n_trades=normal["n_trades"],
        is_reliable=normal["is_reliable"],
        figures={
            "normal": _by_metric(_normal(normal, positions)),
            "losers": _by_metric(_losers(positions)),
            "holding": _by_metric(_holding(positions)),
        },
        exit_reasons=_exit_reasons(positions),
        top=top,
    )


def _window(
    computed: Sequence[tuple[date, int]], as_of: date | None, days: int | None
) -> tuple[date, int]:
    if not computed:
        raise ExcursionError(NOT_BUILT)
    fitting = [
        window
        for window in computed
        if as_of in (None, window[0]) and days in (None, window[1])
    ]
    if fitting:
        return fitting[0]
    newest, oldest = computed[0][0], computed[-1][0]
    wanted = [f"as_of_date: {as_of or newest}"]
    wanted += [f"lookback_days: {days}"] if days else []
    raise UsageError(
        f"strategy_stats has no such rows (it has {len(computed)} dates and windows,"
        f" {oldest} to {newest}): compute them with `dbt run --select"
        f" int_closed_positions__windowed+ --vars '{{{', '.join(wanted)}}}'`"
    )


def _nothing_fits(known: list[str], wanted: dict[str, Any]) -> ExcursionError:
    """One line for a ticker or strategy without trades."""
    ticker, strategy = wanted["ticker"], wanted["strategy"]
    of_strategy = f" with strategy {strategy}" if strategy else ""
    window = f"the {wanted['lookback_days']} days to {wanted['as_of_date']}"
    if not known:
        return ExcursionError(f"no closed trades{of_strategy} in {window}")
    near = difflib.get_close_matches(ticker or "", known, n=3, cutoff=0.6)
    listed = ", ".join(known[:LISTED_TICKERS])
    more = len(known) - LISTED_TICKERS
    return ExcursionError(
        f"no closed trades of {ticker}{of_strategy} in {window}"
        + (f"; near it: {', '.join(near)}" if near else "")
        + f"; there are trades of {listed}"
        + (f" and {more} more" if more > 0 else "")
        + ("; leave the ticker out for all of them" if ticker == "ALL" else "")
    )


def _by_metric(figures: Iterator[Figure]) -> dict[str, Figure]:
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


def _normal(row: dict[str, Any], positions: list[Position]) -> Iterator[Figure]:
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


def _losers(positions: list[Position]) -> Iterator[Figure]:
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


def _holding(positions: list[Position]) -> Iterator[Figure]:
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


def _exit_reasons(positions: list[Position]) -> list[Group]:
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


def _top_group(
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
