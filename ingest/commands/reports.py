"""Commands for people: the statistics, the demo and the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.argument("ticker", required=False)
@click.option(
    "--strategy",
    type=click.Choice(["day_trade", "swing_trade", "conservative", "unassigned"]),
    help="Only this strategy; unassigned: trades that no bot sent.",
)
@click.option(
    "--asset",
    type=click.Choice(["stock", "option", "crypto"]),
    help="Only this type of asset (default: all of them together).",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="A trading date that was computed (default: the latest).",
)
@click.option(
    "--lookback",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="A window that was computed (default: the longest).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--csv", "as_csv", is_flag=True, help="One line per figure.")
def stats(
    ticker: str | None,
    strategy: str | None,
    asset: str | None,
    as_of: datetime | None,
    lookback: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """What is normal, what does a loser look like, how long do winners take?

    For one TICKER (the underlying), or for all of them.
    """
    from rich.console import Console

    from ingest import stats_export, stats_output
    from ingest.database import connect
    from ingest.stats import report

    if as_json and as_csv:
        raise click.UsageError(
            "--json and --csv exclude each other", click.get_current_context()
        )
    found = report(
        connect(),
        ticker=ticker.upper() if ticker else None,
        strategy=strategy,
        asset=asset,
        as_of=as_of.date() if as_of else None,
        lookback_days=lookback,
    )
    if as_json:
        click.echo(stats_export.as_json(found))
    elif as_csv:
        click.echo(stats_export.as_csv(found), nl=False)
    else:
        stats_output.show(found, Console(highlight=False))


@click.command()
def demo() -> None:
    """Show the whole thing on generated data; a second run changes nothing."""
    from rich.console import Console

    from ingest import config
    from ingest import demo as demonstration

    demonstration.run(config.load(), Console(highlight=False))


@click.command()
def docs() -> None:
    """Write the documentation of every model as one HTML file."""
    from ingest import config, dbt_project, embedded
    from ingest.database import connect

    settings = config.load()
    dbt_project.require_checkout(settings)
    if settings.source is config.Source.EMBEDDED:
        embedded.start(settings)
    # dbt would say in many lines that nothing answers.
    connect(settings).close()
    try:
        page = dbt_project.write_docs(settings)
    except dbt_project.DbtError as error:
        if error.output:
            click.echo(error.output, err=True)
        raise
    url = page.resolve().as_uri()
    click.echo(f"{url} ({page.stat().st_size / 1e6:.1f} MB, opens in any browser)")
