"""``excursion stats`` for a person: a sentence per question, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from ingest.stats import Report
from ingest.stats_figures import RELIABLE_TRADES, Figure, Group

#: A terminal this wide has room for every column.
ROOMY = 100

#: Wider than any table.
ENDLESS = 10_000

NONE = "-"


def answers(report: Report) -> dict[str, str]:
    """A sentence for each question, honest about how little it may rest on."""
    normal = report.figures["normal"]
    losers, holding = report.figures["losers"], report.figures["holding"]
    n = report.n_trades
    rate, middle = normal["win_rate"], normal["median_return_pct"]
    said = (
        f"{_percent(rate.value, 100, 0)} of {_count(n, 'trade')} won; the middle one"
        f" returned {_percent(middle.value)}, 8 of 10 between"
        f" {_percent(normal['return_p10_pct'].value)} and"
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
    beside = "" if winner is None else f" (winners: {_percent(winner)})"
    loss = _negative(figures["loser_median_return_pct"].value)
    return (
        f"Half of the losers went {_percent(depth.value)} or more under water{beside};"
        f" half were never more than {_percent(height.value)} in profit. The middle"
        f" loss was {_percent(loss)}."
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
    kind = f"{report.asset}, " if report.asset else ""
    strategy = report.strategy or "all strategies"
    heading = f"{who}, {kind}{strategy}: {_count(report.n_trades, 'closed trade')}"
    print_line(console, heading, "bold")
    for line in _composition(report):
        print_line(console, line)
    print_line(
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
        print_line(console, question, "bold cyan")
        if answer:
            print_line(console, answer)
        print_table(console, table)
    if report.top:
        console.print()
        print_line(console, "Most traded", "bold cyan")
        print_table(console, top_table(report.top))


def _composition(report: Report) -> Iterator[str]:
    """What the trades are made of, where that is easily taken for something else."""
    if report.n_scratches:
        yield (
            f"{report.n_winners:,} won, {report.n_losers:,} lost,"
            f" {report.n_scratches:,} neither won nor lost"
        )
    if len(report.n_by_asset) > 1:
        *others, last = (f"{n:,} {asset}" for asset, n in report.n_by_asset.items())
        yield (
            f"{', '.join(others)} and {last} trades together: --asset tells them apart"
        )


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a sentence, wrapped to the terminal, without blanks at the ends."""
    for line in Text(text, style=style).wrap(console, console.width):
        line.rstrip()
        console.print(line, soft_wrap=True)


def print_table(console: Console, table: Table) -> None:
    """Print a table in full: wider than the terminal before a number is cut."""
    boundless = console.options.update(width=ENDLESS)
    width = console.width
    console.width = max(width, Measurement.get(console, boundless, table).maximum)
    for line in console.render_lines(table, pad=False):
        console.print(Segments([*_trimmed(line), Segment.line()]))
    console.width = width


def _trimmed(line: list[Segment]) -> list[Segment]:
    """The line without the blanks at its end."""
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    return kept


def new_table(*columns: str, text_columns: int = 1) -> Table:
    """An empty table in the style of all of them: text left, numbers right."""
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for place, name in enumerate(columns):
        is_text = place < text_columns
        table.add_column(name, justify="left" if is_text else "right", no_wrap=True)
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
        *((f"MAE p{p}", f"mae_p{p}_pct", "percent") for p in (50, 70, 80, 90)),
        *((f"MFE p{p}", f"mfe_p{p}_pct", "percent") for p in (50, 80)),
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
    heads = [f"{one}s\nn={n:,}" for one, n in zip(who, counts, strict=True)]
    table = new_table("", heads[0], "\n95% interval", heads[1], "\n95% interval")
    for name, metric, unit in rows:
        cells = [
            cell for one in who for cell in _cells(figures[f"{one}_{metric}"], unit)
        ]
        table.add_row(name, *cells)
    return table


def _exit_table(report: Report, wide: bool) -> Table:
    # A label is what programs write: it is never broken. In 80 columns n must do.
    share = ["share"] if wide else []
    heads = ("won", "median\nreturn", "avg\nMAE", "avg\nMFE", "net\ndollars")
    table = new_table("exit reason", "n", *share, *heads)
    for group in report.exit_reasons:
        f = group.figures
        table.add_row(
            group.names[0],
            f"{group.n:,}",
            *([_rate(f["share"])] if wide else []),
            _percent(f["win_rate"].value, 100, 0),
            _percent(f["median_return_pct"].value),
            _percent(f["avg_mae_pct"].value),
            _percent(f["avg_mfe_pct"].value),
            _number(f["net_pnl_dollars"].value),
        )
    return table


def _cells(figure: Figure, unit: str) -> tuple[str, str]:
    """The value and its interval, as text in the unit."""
    if figure.value is None:
        return NONE, NONE
    scale = 100 if unit == "rate" else 1
    decimals = 1 if unit in ("rate", "minutes") else 2
    before = "$" if unit == "dollars" else ""
    after = "%" if unit in ("rate", "percent") else ""
    value = f"{before}{_rounded(figure.value * scale, decimals)}{after}"
    value = value.replace("$-", "-$")
    if figure.low is None or figure.high is None:
        return value, NONE
    ends = (_rounded(end * scale, decimals) for end in (figure.low, figure.high))
    return value, f"[{', '.join(ends)}]"


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
