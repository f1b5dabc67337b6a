"""``excursion stats`` as tables for a person, and as JSON and CSV for programs.

JSON, one object; keys are only ever added::

    ticker, strategy_type       null: all
    as_of_date, lookback_days   the row of strategy_stats
    exits_from, exits_to        trading dates (New York) whose exits count
    n_trades, is_reliable
    answers                     normal, losers, holding: one sentence each
    normal, losers, holding     {metric: {value, n, low, high}}
    exit_reasons                [{exit_reason, n, is_reliable, metric: {...}, ...}]
    top                         [{ticker, strategy_type, n, is_reliable, metric: {...}}]

CSV has a line per figure: question, metric, value, n, low, high. The metrics of a list
carry its names before their own: ``tp.share``, ``AAPL.day_trade.win_rate``.

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

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ingest.stats import RELIABLE_TRADES, Figure, Group, Report

#: Decimals of every number in JSON and CSV, those of the marts.
STEP = Decimal("1e-9")

#: A terminal this wide shows labels in one piece.
ROOMY = 100

NONE = "-"

Cell = str | Text


def as_json(report: Report) -> str:
    """The report as one JSON object, numbers digit for digit."""
    members: dict[str, Any] = {
        "ticker": report.ticker,
        "strategy_type": report.strategy,
        "as_of_date": report.as_of_date.isoformat(),
        "lookback_days": report.lookback_days,
        "exits_from": report.exits_from.isoformat(),
        "exits_to": report.as_of_date.isoformat(),
        "n_trades": report.n_trades,
        "is_reliable": report.is_reliable,
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
    writer.writerow(("question", "metric", "value", "n", "low", "high"))

    def write(prefix: str, figures: Iterable[Figure]) -> None:
        for f in figures:
            numbers = [_plain(number) for number in (f.value, f.low, f.high)]
            value, low, high = numbers
            writer.writerow((f.question, prefix + f.metric, value, f.n, low, high))

    for figures in report.figures.values():
        write("", figures.values())
    for group in (*report.exit_reasons, *report.top):
        write("".join(f"{name}." for name in group.names), group.figures.values())
    return text.getvalue()


def answers(report: Report) -> dict[str, str]:
    """A sentence for each question, honest about how little it may rest on."""
    normal = report.figures["normal"]
    losers, holding = report.figures["losers"], report.figures["holding"]
    n = report.n_trades
    rate = normal["win_rate"]
    wins = f"{_percent(rate.value, 100, 0)} of {_count(n, 'trade')} won"
    said = (
        f"{wins}; the middle one returned {_percent(normal['median_return_pct'].value)},"
        f" 8 of 10 between {_percent(normal['return_p10_pct'].value)} and"
        f" {_percent(normal['return_p90_pct'].value)}."
    )
    return {
        "normal": said + _too_few(n, "trade"),
        "losers": _losing(losers) + _too_few(losers["loser_mae_p50_pct"].n, "loser"),
        "holding": _waiting(holding) + _too_few(holding["winner_p50_min"].n, "winner"),
    }


def _losing(figures: dict[str, Figure]) -> str:
    depth, height = figures["loser_mae_p50_pct"], figures["loser_mfe_p50_pct"]
    if depth.value is None:
        return "No trade lost."
    winner = figures["winner_mae_p50_pct"].value
    beside = "" if winner is None else f" (a winner: {_percent(winner)})"
    return (
        f"The middle loser went {_percent(depth.value)} under water{beside}, was never"
        f" more than {_percent(height.value)} in profit, and lost"
        f" {_percent(_negative(figures['loser_median_return_pct'].value))}."
    )


def _waiting(figures: dict[str, Figure]) -> str:
    middle = figures["winner_p50_min"]
    if middle.value is None:
        return "No trade won."
    loser = figures["loser_p50_min"].value
    beside = "" if loser is None else f" The middle loser took {_duration(loser)}."
    return (
        f"The middle winner took {_duration(middle.value)}, half of them between"
        f" {_duration(figures['winner_p25_min'].value)} and"
        f" {_duration(figures['winner_p75_min'].value)}.{beside}"
    )


def _too_few(n: int, noun: str) -> str:
    if 0 < n < RELIABLE_TRADES:
        return f" {_count(n, noun).capitalize()}: too few to rely on."
    return ""


def show(report: Report, console: Console) -> None:
    """Print the report: per question its answer, then the figures behind it."""
    wide = console.width >= ROOMY
    who = "all tickers" if report.ticker is None else report.ticker
    strategy = report.strategy or "all strategies"
    heading = f"{who}, {strategy}: {_count(report.n_trades, 'closed trade')}"
    _line(console, heading, "bold")
    _line(
        console,
        f"exits {report.exits_from} to {report.as_of_date}"
        f" ({report.lookback_days} days); [low, high] is the 95% interval",
        "dim",
    )
    said = answers(report)
    sections = (
        ("What is normal?", said["normal"], _normal_table(report)),
        ("What does a loser look like?", said["losers"], _losers_table(report)),
        ("How long do winners usually take?", said["holding"], _holding_table(report)),
        ("Why did trades end?", "", _exit_table(report, wide)),
    )
    for question, answer, table in sections:
        console.print()
        _line(console, question, "bold cyan")
        if answer:
            _line(console, answer)
        print_table(console, table)
    if report.top:
        console.print()
        _line(console, "Most traded", "bold cyan")
        print_table(console, top_table(report.top))


def print_table(console: Console, table: Table) -> None:
    """Print a table in full: wider than the terminal before a number is cut."""
    needed = Measurement.get(console, console.options, table).minimum
    width = max(console.width, needed)
    console.print(table, width=width, crop=False, no_wrap=False, soft_wrap=False)


def new_table(*columns: str, text_columns: int = 1) -> Table:
    """An empty table in the style of all of them: text left, numbers right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        is_text = place < text_columns
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    return table


def top_table(groups: Iterable[Group]) -> Table:
    """One line per ticker and strategy, as in strategy_stats."""
    table = new_table(
        "ticker",
        "strategy",
        "n",
        "win rate",
        "median\nreturn",
        "net per\ntrade",
        "profit\nfactor",
        "winner's\nminutes",
        text_columns=2,
    )
    for group in groups:
        f = group.figures
        table.add_row(
            *group.names,
            f"{group.n:,}" + ("" if group.is_reliable else "*"),
            _rate(f["win_rate"]),
            _percent(f["median_return_pct"].value),
            _dollars(f["expectancy_dollars"].value),
            _number(f["profit_factor"].value),
            _number(f["median_hold_win_min"].value, 1),
        )
    if any(not group.is_reliable for group in groups):
        table.caption = f"* under {RELIABLE_TRADES} trades: too few to rely on"
        table.caption_justify = "left"
    return table


def _normal_table(report: Report) -> Table:
    f = report.figures["normal"]
    table = new_table("", "value", "95% interval", "n")
    rows: tuple[tuple[str, str, str], ...] = (
        ("win rate", "win_rate", "rate"),
        ("median return", "median_return_pct", "percent"),
        ("return p10", "return_p10_pct", "percent"),
        ("return p90", "return_p90_pct", "percent"),
        ("net dollars per trade (expectancy)", "expectancy_dollars", "dollars"),
        ("profit factor", "profit_factor", "number"),
    )
    for name, metric, unit in rows:
        figure = f[metric]
        value, interval = _cells(figure, unit)
        table.add_row(name, value, interval, f"{figure.n:,}")
    reliable = "yes" if report.is_reliable else f"no: under {RELIABLE_TRADES}"
    table.add_row("reliable", reliable, "", f"{report.n_trades:,}")
    return table


def _losers_table(report: Report) -> Table:
    rows = [
        *((f"MAE p{p}, depth", f"mae_p{p}_pct", "percent") for p in (50, 70, 80, 90)),
        *((f"MFE p{p}, height", f"mfe_p{p}_pct", "percent") for p in (50, 80)),
        ("never in profit", "never_in_profit_share", "rate"),
        ("give-back, median", "median_give_back_pct", "percent"),
        ("return, median", "median_return_pct", "percent"),
        ("net, median", "median_net_dollars", "dollars"),
        ("net, average", "avg_net_dollars", "dollars"),
    ]
    return _beside(report.figures["losers"], ("loser", "winner"), rows)


def _holding_table(report: Report) -> Table:
    names = {25: "p25, minutes", 50: "median", 75: "p75", 90: "p90"}
    rows = [(name, f"p{p}_min", "minutes") for p, name in names.items()]
    return _beside(report.figures["holding"], ("winner", "loser"), rows)


def _beside(
    figures: dict[str, Figure], who: tuple[str, str], rows: list[tuple[str, str, str]]
) -> Table:
    """Losers and winners side by side, each with its interval."""
    counts = [figures[f"{one}_{rows[0][1]}"].n for one in who]
    heads = [f"{one}s, n={n:,}" for one, n in zip(who, counts, strict=True)]
    table = new_table("", heads[0], "95% interval", heads[1], "95% interval")
    for name, metric, unit in rows:
        cells = [
            cell for one in who for cell in _cells(figures[f"{one}_{metric}"], unit)
        ]
        table.add_row(name, *cells)
    return table


def _exit_table(report: Report, wide: bool) -> Table:
    table = new_table(
        "exit reason",
        "n",
        "share",
        "win rate",
        "median\nreturn",
        "avg\nMAE",
        "avg\nMFE",
        "net\ndollars",
    )
    for group in report.exit_reasons:
        f = group.figures
        table.add_row(
            group.names[0] if wide else _folded(group.names[0]),
            f"{group.n:,}",
            _rate(f["share"]),
            _percent(f["win_rate"].value, 100, 0),
            _percent(f["median_return_pct"].value),
            _percent(f["avg_mae_pct"].value),
            _percent(f["avg_mfe_pct"].value),
            _number(f["net_pnl_dollars"].value),
        )
    return table


def _cells(figure: Figure, unit: str) -> tuple[str, str]:
    """The value and its interval, as text in the unit."""
    shown = {
        "rate": lambda value: _percent(value, 100, 1),
        "percent": _percent,
        "dollars": _dollars,
        "minutes": lambda value: _number(value, 1),
        "number": _number,
    }[unit]
    if figure.low is None or figure.high is None:
        return shown(figure.value), NONE
    return shown(figure.value), f"[{shown(figure.low)}, {shown(figure.high)}]"


def _rate(figure: Figure) -> str:
    value = _percent(figure.value, 100, 0)
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{figure.low * 100:.0f}, {figure.high * 100:.0f}]"


def _percent(value: Decimal | None, scale: int = 1, decimals: int = 2) -> str:
    return NONE if value is None else f"{_rounded(value * scale, decimals)}%"


def _dollars(value: Decimal | None) -> str:
    if value is None:
        return NONE
    text = _rounded(value, 2)
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def _number(value: Decimal | None, decimals: int = 2) -> str:
    return NONE if value is None else _rounded(value, decimals)


def _rounded(value: Decimal, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    # A value that rounds to nothing has no sign.
    return text.lstrip("-") if not any(c in "123456789" for c in text) else text


def _negative(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value


def _duration(minutes: Decimal | None) -> str:
    """What a person says for a number of minutes."""
    if minutes is None:
        return NONE
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    if minutes < 10:
        return f"{minutes:.1f} min"
    whole = round(minutes)
    if whole < 120:
        return f"{whole} min"
    if whole < 2 * 24 * 60:
        return f"{whole // 60} h {whole % 60} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _folded(label: str) -> str:
    """A long label in two lines, broken at the underscore nearest to its middle."""
    breaks = [place for place, sign in enumerate(label, start=1) if sign == "_"]
    if len(label) <= 16 or not breaks:
        return label
    at = min(breaks, key=lambda place: abs(place - len(label) / 2))
    return f"{label[:at]}\n{label[at:]}"


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style))


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
