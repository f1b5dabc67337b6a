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

    Exit status 1 if anything was quarantined or refused.
    """
    from ingest.database import connect
    from ingest.decisions import print_summary, record

    summary = record(connect, source, notice=lambda text: click.echo(text, err=True))
    print_summary(summary)
    bad = sum(summary.quarantined.values()) + sum(summary.refused.values())
    if bad:
        raise ExcursionError(
            f"{bad:,} of {summary.lines:,} lines"
            f" {'was' if bad == 1 else 'were'} not written: see above"
        )
