"""``excursion stats`` for programs: JSON and CSV.

JSON, one object; keys are only ever added::

    ticker, strategy_type       null: all
    asset_type                  null: all
    as_of_date, lookback_days   the row of strategy_stats
    exits_from, exits_to        trading dates (New York) whose exits count
    n_trades, is_reliable
    n_winners, n_losers
    n_scratches                 trades that neither won nor lost
    n_by_asset                  {asset_type: trades}
    answers                     normal, losers, holding: one sentence each
    normal, losers, holding     {metric: {value, n, low, high}}
    exit_reasons                [{exit_reason, n, is_reliable, metric: {...}, ...}]
    top                         [{ticker, strategy_type, n, is_reliable, metric: {...}}]

CSV has a line per figure: as_of_date, lookback_days, ticker, strategy_type, asset_type
(what was asked for, empty: all), question, metric, value, n, low, high. The metrics of
a list carry its names before their own: ``tp.share``, ``AAPL.day_trade.win_rate``.

``ingest.stats.Figure`` tells the units; ``low`` and ``high`` are a 95 % interval, null
or empty where there is none. Numbers have at most nine decimals.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ingest.stats import Report
from ingest.stats_figures import Figure
from ingest.stats_output import answers

#: Decimals of every number, those of the marts.
STEP = Decimal("1e-9")


def as_json(report: Report) -> str:
    """The report as one JSON object, numbers digit for digit."""
    members: dict[str, Any] = {
        "ticker": report.ticker,
        "strategy_type": report.strategy,
        "asset_type": report.asset,
        "as_of_date": report.as_of_date.isoformat(),
        "lookback_days": report.lookback_days,
        "exits_from": report.exits_from.isoformat(),
        "exits_to": report.as_of_date.isoformat(),
        "n_trades": report.n_trades,
        "is_reliable": report.is_reliable,
        "n_winners": report.n_winners,
        "n_losers": report.n_losers,
        "n_scratches": report.n_scratches,
        "n_by_asset": report.n_by_asset,
        "answers": answers(report),
    }
    for question, figures in report.figures.items():
        members[question] = _members(figures.values())
    for key, names, groups in (
        ("exit_reasons", ("exit_reason",), report.exit_reasons),
        ("top", ("ticker", "strategy_type"), report.top),
    ):
        members[key] = [
            {
                **dict(zip(names, group.names, strict=True)),
                "n": group.n,
                "is_reliable": group.is_reliable,
                **_members(group.figures.values()),
            }
            for group in groups
        ]
    return _json(members, "\n")


def as_csv(report: Report) -> str:
    """One line per figure, the first with the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            *("as_of_date", "lookback_days", "ticker", "strategy_type", "asset_type"),
            *("question", "metric", "value", "n", "low", "high"),
        )
    )
    window = (report.as_of_date.isoformat(), report.lookback_days)
    asked_for = (*window, report.ticker, report.strategy, report.asset)

    def write(prefix: str, figures: Iterable[Figure]) -> None:
        for f in figures:
            value, low, high = (_plain(number) for number in (f.value, f.low, f.high))
            name = prefix + f.metric
            writer.writerow((*asked_for, f.question, name, value, f.n, low, high))

    for figures in report.figures.values():
        write("", figures.values())
    for group in (*report.exit_reasons, *report.top):
        write("".join(f"{name}." for name in group.names), group.figures.values())
    return text.getvalue()


def _members(figures: Iterable[Figure]) -> dict[str, Any]:
    return {
        f.metric: {"value": f.value, "n": f.n, "low": f.low, "high": f.high}
        for f in figures
    }


def _plain(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = f"{value.quantize(STEP):f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _json(value: Any, newline: str) -> str:
    """JSON whose numbers are the decimals themselves, never floats."""
    if isinstance(value, Decimal):
        return _plain(value)
    if isinstance(value, dict):
        members = [
            f"{json.dumps(k)}: {_json(v, newline + '  ')}" for k, v in value.items()
        ]
        if "low" in value:  # a figure fits on a line
            return "{" + ", ".join(members) + "}"
        inside = f",{newline}  ".join(members)
        return f"{{{newline}  {inside}{newline}}}"
    if isinstance(value, list) and value:
        inside = f",{newline}  ".join(_json(item, newline + "  ") for item in value)
        return f"[{newline}  {inside}{newline}]"
    return json.dumps(value)
