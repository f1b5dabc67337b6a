"""The daemon's command."""

from __future__ import annotations

import click


@click.command()
@click.option("--check", is_flag=True, help="Only look whether the settings are right.")
def ingest(check: bool) -> None:
    """Record what Alpaca's streams and REST tell, until stopped (SIGTERM, Ctrl-C).

    Accounts and keys come from excursion.toml or the environment; docs/operating.md
    lists every setting. Nothing is ever sent to Alpaca but questions.
    """
    from ingest import config, daemon, settings

    told = settings.load()
    base = config.load()
    if check:
        names = ", ".join(told.accounts)
        click.echo(f"settings are right: accounts {names}; {base.database}")
        return
    daemon.run(told, base)
