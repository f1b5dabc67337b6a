"""Commands that look at a running ingester."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Of the ingester (default: EXCURSION_HTTP_PORT, the settings, 9464).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(context: click.Context, port: int | None, as_json: bool) -> None:
    """Tell how the running ingester is doing: its streams, accounts and spool.

    Exit status 1 if something needs a look or is not recorded right now, 3 if no
    ingester answers.
    """
    from rich.console import Console

    from ingest import status_output
    from ingest.status import report

    found = report(port)
    if as_json:
        click.echo(found.as_json())
    else:
        status_output.show(found, Console(highlight=False))
    context.exit(found.exit_status)
