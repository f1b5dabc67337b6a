"""`excursion stats` answers from the marts, with honest intervals."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from ingest import estimates, stats_export, stats_output
from ingest.errors import ExcursionError
from ingest.stats import Report, report
from tests.support.paths import ROOT
from tests.support.postgres import Database


def ask(database: Database, **wanted: Any) -> Report:
    with closing(database.connect()) as connection:
        return report(connection, **wanted)


def run(database: Database, *arguments: str, **more: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "ingest.cli", "stats", *arguments],
        env=database.environment(**more),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


def shown(found: Report, width: int) -> str:
    out = io.StringIO()
    stats_output.show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def decimals(*values: str | int) -> list[Decimal]:
    return [Decimal(value) for value in values]


def test_a_quantile_lies_between_values_as_in_the_database(database: Database) -> None:
    values = decimals("-3.5", "0", "1.25", "2", "9")
    for p in ("0", "0.1", "0.25", "0.5", "0.9", "1"):
        (((expected,)),) = database.query(
            "select percentile_cont(%s) within group (order by v) from unnest(%s) as v",
            (float(p), [float(value) for value in values]),
        )
        found = estimates.quantile(values, Decimal(p))
        assert found is not None and float(found) == pytest.approx(expected)


def test_nothing_has_no_quantile_and_no_interval() -> None:
    assert estimates.quantile([], Decimal("0.5")) is None
    assert estimates.quantile_interval([], Decimal("0.5")) is None
    assert estimates.wilson_interval(0, 0) is None
    assert estimates.mean([]) is None


@pytest.mark.parametrize(
    ("n", "ranks"),
    # Tables of order-statistic intervals for the median, 95 %.
    [(5, None), (6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (50, (18, 33))],
)
def test_the_interval_of_a_median_is_that_of_the_tables(
    n: int, ranks: tuple[int, int] | None
) -> None:
    values = [Decimal(rank) for rank in range(1, n + 1)]
    assert estimates.quantile_interval(values, Decimal("0.5")) == ranks


def test_the_interval_of_a_high_percentile_needs_more_values() -> None:
    values = [Decimal(rank) for rank in range(1, 101)]
    assert estimates.quantile_interval(values[:30], Decimal("0.9")) is None
    assert estimates.quantile_interval(values, Decimal("0.9")) == (84, 96)
    assert estimates.quantile_interval(values, Decimal("0.1")) == (5, 17)


def test_wilson_is_that_of_the_models(built: Database) -> None:
    found = ask(built).figures["normal"]["win_rate"]
    assert found.value is not None
    wins = round(found.value * found.n)
    interval = estimates.wilson_interval(wins, found.n)
    assert interval is not None
    low, high = interval
    assert (round(low, 9), round(high, 9)) == (found.low, found.high)


def test_figures_are_those_of_the_positions(built: Database) -> None:
    found = ask(built, ticker="AAPL", strategy="day_trade")
    ((n, median, mae, minutes, give_back),) = built.query(
        """
        select
            count(*),
            percentile_cont(0.5) within group (order by pnl_pct),
            percentile_cont(0.8) within group (order by -worst_unrealized_pnl_pct)
            filter (where win_loss_label = -1),
            percentile_cont(0.75) within group (order by holding_seconds / 60.0)
            filter (where win_loss_label = 1),
            percentile_cont(0.5)
            within group (order by best_unrealized_pnl_pct - pnl_pct)
            filter (where win_loss_label = -1)
        from analytics.position_history
        where ticker = 'AAPL' and strategy_type = 'day_trade'
        """
    )
    figures = found.figures

    def value(question: str, metric: str) -> float:
        got = figures[question][metric].value
        assert got is not None
        return float(got)

    assert found.n_trades == n == sum(group.n for group in found.exit_reasons)
    assert value("normal", "median_return_pct") == pytest.approx(median)
    assert value("losers", "loser_mae_p80_pct") == pytest.approx(mae)
    assert value("losers", "loser_median_give_back_pct") == pytest.approx(give_back)
    assert value("holding", "winner_p75_min") == pytest.approx(minutes)


def test_every_interval_holds_its_value(built: Database) -> None:
    found = ask(built)
    groups = [group.figures for group in (*found.exit_reasons, *found.top)]
    for figures in (*found.figures.values(), *groups):
        for figure in figures.values():
            if figure.low is not None and figure.high is not None:
                assert figure.value is not None
                assert figure.low <= figure.value <= figure.high, figure


def test_all_tickers_are_the_roll_up_and_not_the_company_all(built: Database) -> None:
    found = ask(built)
    ((total,),) = built.query("select count(*) from analytics.position_history")
    assert found.n_trades == total
    with pytest.raises(ExcursionError, match="leave the ticker out"):
        ask(built, ticker="ALL")


def test_top_is_ordered_by_number_of_trades(built: Database) -> None:
    counts = [group.n for group in ask(built).top]
    assert counts == sorted(counts, reverse=True) and len(counts) > 3
    assert ask(built, ticker="AAPL").top == []


def test_few_trades_are_said_to_be_few(built: Database) -> None:
    ((ticker, n),) = built.query(
        "select ticker, n_trades from analytics.strategy_stats"
        " where not is_all_tickers and strategy_type = 'ALL' and asset_type = 'ALL'"
        " and n_trades between 2 and 29 order by n_trades desc limit 1"
    )
    found = ask(built, ticker=ticker)
    assert not found.is_reliable
    assert f"{n} trades: too few to rely on." in stats_output.answers(found)["normal"]


def test_without_losers_or_winners_the_answer_says_so(built: Database) -> None:
    found = ask(built)
    nobody = {
        question: {m: replace(f, value=None, n=0) for m, f in figures.items()}
        for question, figures in found.figures.items()
    }
    empty = replace(found, figures={**found.figures, **nobody})
    answers = stats_output.answers(empty)
    assert answers["losers"] == "No trade lost."
    assert answers["holding"] == "No trade won."


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_and_no_number_is_cut(built: Database, width: int) -> None:
    text = shown(ask(built, ticker="AAPL"), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "…" not in text and "\x1b" not in text


def test_labels_of_exit_reasons_stay_in_one_piece(built: Database) -> None:
    found = ask(built)
    text = shown(found, 80)
    for group in found.exit_reasons:
        assert f"\n{group.names[0]} " in text


def test_a_narrow_terminal_cuts_no_number_either(built: Database) -> None:
    assert "…" not in shown(ask(built), 30)


def test_json_has_numbers_and_the_documented_keys(built: Database) -> None:
    found = ask(built, ticker="AAPL")
    told = json.loads(stats_export.as_json(found), parse_float=Decimal)
    assert [*told] == [
        "ticker", "strategy_type", "asset_type", "as_of_date", "lookback_days",
        "exits_from", "exits_to", "n_trades", "is_reliable", "n_winners", "n_losers",
        "n_scratches", "n_by_asset", "answers", "normal", "losers", "holding",
        "exit_reasons", "top",
    ]  # fmt: skip
    assert (told["ticker"], told["strategy_type"], told["top"]) == ("AAPL", None, [])
    rate = found.figures["normal"]["win_rate"]
    assert told["normal"]["win_rate"] == {
        "value": rate.value,
        "n": rate.n,
        "low": rate.low,
        "high": rate.high,
    }
    assert told["exit_reasons"][0]["n"] == found.exit_reasons[0].n


def test_csv_is_long_and_says_the_same(built: Database) -> None:
    found = ask(built)
    rows = list(csv.DictReader(io.StringIO(stats_export.as_csv(found))))
    assert [*rows[0]] == [
        "as_of_date", "lookback_days", "ticker", "strategy_type", "asset_type",
        "question", "metric", "value", "n", "low", "high",
    ]  # fmt: skip
    assert {row["as_of_date"] for row in rows} == {found.as_of_date.isoformat()}
    assert {row["ticker"] for row in rows} == {""}
    by_key = {(row["question"], row["metric"]): row for row in rows}
    assert len(by_key) == len(rows)
    drawdown = found.figures["normal"]["max_drawdown_dollars"].value
    assert Decimal(by_key["normal", "max_drawdown_dollars"]["value"]) == drawdown
    group = found.top[0]
    assert by_key["top", f"{'.'.join(group.names)}.win_rate"]["n"] == str(group.n)


def test_asset_types_are_told_apart(built: Database) -> None:
    together = ask(built)
    assert set(together.n_by_asset) == {"stock", "option", "crypto"}
    assert sum(together.n_by_asset.values()) == together.n_trades
    for asset, n in together.n_by_asset.items():
        found = ask(built, asset=asset)
        assert found.n_trades == n == sum(group.n for group in found.exit_reasons)
        assert found.n_by_asset == {asset: n}
        assert sum(group.n for group in found.top) <= n
        assert found.top
        text = shown(found, 80)
        assert text.startswith(f"all tickers, {asset}, all strategies: ")
        assert "--asset" not in text
        assert json.loads(stats_export.as_json(found))["asset_type"] == asset
        assert f",,{asset},normal,win_rate," in stats_export.as_csv(found)


def test_mixed_assets_and_scratches_are_said_in_the_heading(built: Database) -> None:
    found = replace(
        ask(built),
        n_trades=9,
        n_winners=4,
        n_losers=3,
        n_by_asset={"stock": 7, "option": 2},
    )
    assert shown(found, 80).splitlines()[1:3] == [
        "4 won, 3 lost, 2 neither won nor lost",
        "7 stock and 2 option trades together: --asset tells them apart",
    ]


def test_json_and_csv_exclude_each_other(built: Database) -> None:
    done = run(built, "--json", "--csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "excursion: --json and --csv exclude each other; see `excursion stats --help`\n"
    )


def test_an_unknown_ticker_is_one_line_with_near_ones(built: Database) -> None:
    done = run(built, "aapk")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "no closed trades of AAPK" in done.stderr and "near it: AAPL" in done.stderr


def test_a_date_that_was_not_computed_says_how_to_compute_it(built: Database) -> None:
    newest = ask(built).as_of_date
    done = run(built, "--as-of", "2020-01-02")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"excursion: there are no statistics of 2020-01-02, only of {newest}:"
        " `.venv/bin/dbt build --vars 'as_of_date: 2020-01-02'` computes them\n"
    )
    with pytest.raises(ExcursionError, match="--vars 'lookback_days: 7'"):
        ask(built, lookback_days=7)


def test_a_database_without_models_says_which_command_to_run(
    database: Database, empty_database: Database
) -> None:
    for unbuilt in (database, empty_database):
        done = run(unbuilt)
        assert done.returncode == 1 and done.stdout == ""
        assert "`.venv/bin/dbt build`" in done.stderr and done.stderr.count("\n") == 1


def test_piped_output_is_plain_and_asks_nothing_of_the_encoding(
    built: Database,
) -> None:
    done = run(built, "--strategy", "day_trade", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and "\x1b" not in done.stdout
    assert "What does a loser look like?" in done.stdout
