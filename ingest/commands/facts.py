"""Commands about the raw facts: their tables, writing them, looking at promises."""

from __future__ import annotations

import sys

import click

from ingest.errors import ExcursionError


@click.command()
def migrate() -> None:
    """Bring the raw schema up to date, and look whether it is."""
    from ingest.database import connect
    from ingest.migrate import migrate as run

    outcome = run(connect())
    applied = ", ".join(outcome.applied) if outcome.applied else "nothing to apply"
    click.echo(
        f"{applied}; {outcome.in_place} migrations in place, seen in the catalog:"
        f" {outcome.tables} tables, {outcome.constraints} validated constraints"
    )


@click.command()
@click.argument("recordings", nargs=-1, required=True, metavar="FILE...")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything was quarantined.")
@click.option("--wait", is_flag=True, help="Queue behind a replay that is running.")
def replay(recordings: tuple[str, ...], strict: bool, wait: bool) -> None:
    """Write recordings (JSON Lines, plain or .gz, - for standard input).

    Replaying a file again writes nothing. What cannot be read or contradicts what is
    stored goes to raw.quarantine with a reason, and the replay goes on.
    """
    from ingest.database import connect
    from ingest.replay import print_summary
    from ingest.replay import replay as run

    summary = run(connect(), recordings, wait=wait, progress=sys.stderr)
    print_summary(summary)
    if strict and summary.quarantined:
        n = summary.quarantined
        verb = "message was" if n == 1 else "messages were"
        raise ExcursionError(f"{n:,} {verb} quarantined (--strict)")


@click.command()
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    default=95,
    show_default=True,
    metavar="PERCENT",
    help="Recommended entries that must have their features.",
)
def verify(min_coverage: float) -> None:
    """Look whether everything that is promised holds; exit status 1 if not.

    Rows that must be refused, and facts that must not be stored twice, are really
    tried, in transactions that are rolled back.
    """
    from decimal import Decimal

    from ingest.database import connect
    from ingest.verify import verify as run

    failed = 0
    for result in run(connect(), min_coverage=Decimal(str(min_coverage))):
        word, color = ("PASS", "green") if result.passed else ("FAIL", "red")
        click.echo(f"{click.style(word, color)} {result.promise}: {result.evidence}")
        failed += not result.passed
    if failed:
        verb = "does" if failed == 1 else "do"
        raise ExcursionError(f"{failed} of the promises {verb} not hold")
