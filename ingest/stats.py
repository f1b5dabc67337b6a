"""The three questions, answered from the marts.

*What is normal?* comes from ``analytics.strategy_stats``; *What does a loser look
like?* and *How long do winners usually take?* from the positions of
``analytics.position_history`` that its row counts, so all figures share one window.
``ingest.stats_figures`` makes the numbers, ``ingest.stats_output`` shows them.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from ingest import stats_figures
from ingest.errors import ExcursionError
from ingest.sql import statement
from ingest.stats_figures import Figure, Group, Position

#: How many (ticker, strategy) pairs and known tickers are listed.
TOP_ROWS = 10
LISTED_TICKERS = 12
LISTED_DATES = 5

#: The command that computes statistics; `dbt` alone may be another one, or none.
BUILD = ".venv/bin/dbt build"

NOT_BUILT = (
    "no statistics yet: replay a recording (`excursion replay FILE`), then run"
    f" `{BUILD}`; `excursion demo` does both with generated data"
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that ``excursion stats`` tells.

    Attributes:
        ticker: None for all tickers.
        strategy: None for all strategies.
        asset: ``stock``, ``option`` or ``crypto``; None for all of them together.
        as_of_date: Last trading date whose exits count.
        lookback_days: How many days of exits count.
        n_trades: Closed positions in the window.
        n_by_asset: The same by type of asset, most frequent first.
        n_winners: Those of them that won, after fees.
        n_losers: Those that lost; the rest (scratches) did neither.
        is_reliable: Whether they are enough to rely on.
        figures: ``figures[question][metric]``.
        exit_reasons: Most frequent first.
        top: Pairs of ticker and strategy, most traded first; empty for one ticker.
    """

    ticker: str | None
    strategy: str | None
    asset: str | None
    as_of_date: date
    lookback_days: int
    n_trades: int
    n_by_asset: dict[str, int]
    n_winners: int
    n_losers: int
    is_reliable: bool
    figures: dict[str, dict[str, Figure]]
    exit_reasons: list[Group]
    top: list[Group]

    @property
    def exits_from(self) -> date:
        """First trading date whose exits count."""
        return self.as_of_date - timedelta(days=self.lookback_days - 1)

    @property
    def n_scratches(self) -> int:
        """Positions that neither won nor lost."""
        return self.n_trades - self.n_winners - self.n_losers


def report(
    connection: Connection,
    *,
    ticker: str | None = None,
    strategy: str | None = None,
    asset: str | None = None,
    as_of: date | None = None,
    lookback_days: int | None = None,
) -> Report:
    """Gather the answers.

    Args:
        connection: The database; it is only read.
        ticker: Underlying, None for all.
        strategy: Strategy type or ``unassigned``, None for all.
        asset: ``stock``, ``option`` or ``crypto``, None for all.
        as_of: A date that strategy_stats was computed for; default: the latest.
        lookback_days: A window that it was computed with; default: the longest.

    Raises:
        ExcursionError: Nothing was built, or nothing fits; the message says what to do.
    """
    wanted: dict[str, Any] = {"ticker": ticker, "strategy": strategy, "asset": asset}
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
            top = [stats_figures.top_group(*values) for values in cursor.fetchall()]
    outcomes = Counter(position.win_loss_label for position in positions)
    by_asset = Counter(position.asset_type for position in positions)
    return Report(
        ticker=ticker,
        strategy=strategy,
        asset=asset,
        as_of_date=window[0],
        lookback_days=window[1],
        n_trades=normal["n_trades"],
        n_by_asset=dict(by_asset.most_common()),
        n_winners=outcomes[1],
        n_losers=outcomes[-1],
        is_reliable=normal["is_reliable"],
        figures={
            "normal": stats_figures.by_metric(stats_figures.normal(normal, positions)),
            "losers": stats_figures.by_metric(stats_figures.losers(positions)),
            "holding": stats_figures.by_metric(stats_figures.holding(positions)),
        },
        exit_reasons=stats_figures.exit_reasons(positions),
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
    raise _not_computed(computed, as_of, days)


def _not_computed(
    computed: Sequence[tuple[date, int]], as_of: date | None, days: int | None
) -> ExcursionError:
    """One line for a date or window without statistics, with what computes it."""
    wanted = [f"as_of_date: {as_of}"] if as_of else []
    wanted += [f"lookback_days: {days}"] if days else []
    values = wanted[0] if len(wanted) == 1 else f"{{{', '.join(wanted)}}}"
    missing = (f" of {as_of}" if as_of else "") + (f" over {days} days" if days else "")
    if days:
        existing = [f"{of} over {long} days" for of, long in computed]
    else:
        existing = [f"{of}" for of in dict.fromkeys(of for of, _ in computed)]
    listed, more = ", ".join(existing[:LISTED_DATES]), len(existing) - LISTED_DATES
    return ExcursionError(
        f"there are no statistics{missing}, only of {listed}"
        + (f" and {more} more" if more > 0 else "")
        + f": `{BUILD} --vars '{values}'` computes them"
    )


def _nothing_fits(known: list[str], wanted: dict[str, Any]) -> ExcursionError:
    """One line for a ticker or strategy without trades."""
    ticker, strategy = wanted["ticker"], wanted["strategy"]
    kind = f"{wanted['asset']} " if wanted["asset"] else ""
    of_strategy = f" with strategy {strategy}" if strategy else ""
    window = f"the {wanted['lookback_days']} days to {wanted['as_of_date']}"
    if not known:
        return ExcursionError(f"no closed {kind}trades{of_strategy} in {window}")
    near = difflib.get_close_matches(ticker or "", known, n=3, cutoff=0.6)
    listed = ", ".join(known[:LISTED_TICKERS])
    more = len(known) - LISTED_TICKERS
    return ExcursionError(
        f"no closed {kind}trades of {ticker}{of_strategy} in {window}"
        + (f"; near it: {', '.join(near)}" if near else "")
        + f"; there are {kind}trades of {listed}"
        + (f" and {more} more" if more > 0 else "")
        + ("; leave the ticker out for all of them" if ticker == "ALL" else "")
    )
