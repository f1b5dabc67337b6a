"""The command that takes the dispatcher's decisions."""

from __future__ import annotations

import click

from ingest.errors import ExcursionError


@click.command()
@click.argument("source", metavar="FILE|-")
def record_decisions(source: str) -> None:
    """Write what the dispatcher decided: JSON Lines from a file, or from a pipe (-).

    A line is {"table": "dispatch_recommendations" or "dispatch_executions", "row":
    {...}}, or a recording's line with that as its msg. A row sent again may fill in
    what was null. A pipe may stay open for days: each line is in the database within
    a second or so. Ends at the end of the input, on Ctrl-C or SIGTERM.

    A column that is not known is told and not kept, the rest of its row is.

    Exit status 1 if anything was quarantined, refused or not kept.
    """
    from ingest.database import connect
    from ingest.decisions import print_summary, record

    summary = record(connect, source, notice=lambda text: click.echo(text, err=True))
    print_summary(summary)
    if summary.complaint:
        raise ExcursionError(summary.complaint)
