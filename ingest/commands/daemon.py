"""The daemon's command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest import config
    from ingest.settings import IngestSettings


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Only show what the settings say, or what is wrong with them.",
)
def ingest(check: bool) -> None:
    """Record what Alpaca's streams and REST tell, until stopped (SIGTERM, Ctrl-C).

    Accounts and keys come from excursion.toml or the environment; docs/operating.md
    lists every setting. Nothing is ever sent to Alpaca but questions.
    """
    from ingest import config, daemon, settings

    told = settings.load()
    base = config.load()
    if check:
        for line in _shown(told, base):
            click.echo(line)
        return
    daemon.run(told, base)


def _shown(told: IngestSettings, base: config.Settings) -> Iterator[str]:
    """What would be recorded from where to where; no key and no password."""
    from ingest import settings
    from ingest.feed.rest import TRADING_URLS

    read = settings.file()
    source = f"{read.resolve()}, then the environment" if read else "the environment"
    yield f"settings are right: {source}"
    width = max(len(name) for name in told.accounts)
    for name, account in told.accounts.items():
        url = account.trading_url or TRADING_URLS[account.paper]
        yield f"account   {name:{width}}  {account.kind}  {url}"
    market = told.market_data
    whose = market.account or next(iter(told.accounts))
    feeds = f"{market.stock_feed}, {market.option_feed}, crypto"
    yield f"marks     {feeds}, with the keys of {whose}"
    yield f"spool     {base.state_dir / 'spool'}"
    yield f"database  {base.database}, schema raw"
