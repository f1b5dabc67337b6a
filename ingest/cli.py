"""The command line: ``excursion``.

Each command imports what it needs when it runs, so that ``--help`` and completion
answer at once.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ingest import __version__
from ingest.errors import ExcursionError

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.config import Settings

#: Exit status of `db status` for a database that takes no connections, as with the
#: status of an init script ("program is not running").
NOT_RUNNING = 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="excursion")
def cli() -> None:
    """Record what trading bots do on Alpaca, and learn from it."""


@cli.group(short_help="Start, stop, find or empty the database.")
def db() -> None:
    """The database: DATABASE_URL, the PG* variables, or an embedded server."""


@db.command(short_help="Start the embedded server.")
def start() -> None:
    """Start the embedded server and wait until it takes connections."""
    from ingest import config, embedded

    settings = config.load()
    if settings.source is not config.Source.EMBEDDED:
        from ingest.database import connect

        connect(settings).close()
        click.echo(f"{_in_use(settings)}, and it answers: nothing to start")
        return
    started = embedded.start(settings)
    verb = "started" if started.changed else "already running"
    click.echo(f"{verb}: {settings.database}")


@db.command(short_help="Stop the embedded server.")
def stop() -> None:
    """Stop the embedded server."""
    from ingest import config, embedded

    settings = config.load()
    if settings.source is not config.Source.EMBEDDED:
        click.echo(f"{_in_use(settings)}: nothing to stop")
    elif embedded.stop(settings):
        click.echo("stopped")
    else:
        click.echo("not running")


@db.command(short_help="Tell whether the database takes connections.")
@click.pass_context
def status(context: click.Context) -> None:
    """Tell whether the database takes connections; exit status 3 if not."""
    from ingest import config, embedded
    from ingest.database import connect
    from ingest.errors import DatabaseUnreachableError

    settings = config.load()
    if settings.source is config.Source.EMBEDDED:
        found = embedded.status(settings)
        if found.accepting:
            process = f", process {found.pid}" if found.pid else ""
            click.echo(f"running: {settings.database}{process}")
            return
        if found.pid:
            click.echo(f"starting or stopping: process {found.pid}")
        else:
            click.echo("not running: `excursion db start` starts it")
        context.exit(NOT_RUNNING)
    try:
        connect(settings).close()
    except DatabaseUnreachableError as error:
        click.echo(f"not running: {error}")
        context.exit(NOT_RUNNING)
    click.echo(f"running: {settings.database}, from {settings.source.value}")


@db.command(short_help="Print the database's URL.")
def url() -> None:
    """Print the database's URL, ready for DATABASE_URL.

    The password is in it where DATABASE_URL has one; PGPASSWORD is not.
    """
    from ingest import config

    settings = config.load()
    click.echo(settings.dsn)


@db.command(
    short_help="Open psql on the database.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the database; arguments go to psql."""
    from psycopg2.extensions import make_dsn, parse_dsn

    from ingest import config
    from ingest.postgres_binaries import client, find

    settings = config.load()
    embedded = settings.source is config.Source.EMBEDDED
    program = find() / "psql" if embedded else client("psql")
    parameters = parse_dsn(settings.dsn)
    # Other users of the machine can read command lines, not environments.
    password = parameters.pop("password", None)
    if password:
        os.environ["PGPASSWORD"] = password
    sys.stdout.flush()
    os.execv(program, [str(program), "-d", make_dsn(**parameters), *arguments])  # noqa: S606


@db.command(short_help="Empty the embedded database.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Drop the embedded database with all that is in it, and create it empty.

    Whoever is connected to it is disconnected. Other databases are never touched.
    """
    from ingest import config, embedded
    from ingest.errors import UsageError

    settings = config.load()
    if settings.source is not config.Source.EMBEDDED:
        raise UsageError(f"{_in_use(settings)}: only the embedded one is ever reset")
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "everything in the embedded database would be dropped: confirm with"
            " `excursion db reset --yes`"
        )
    embedded.start(settings)
    held = f"{settings.database}, with {_contents(settings)}"
    if not yes and not click.confirm(f"drop {held}?"):
        raise UsageError("not confirmed: nothing was dropped")
    embedded.reset(settings)
    click.echo(f"dropped: {held}")
    click.echo("it is empty now: `excursion migrate` makes its tables")


@cli.command(short_help="Bring the raw schema up to date.")
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


@cli.command(short_help="Write recordings (JSON Lines) into the database.")
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


@cli.command(short_help="Tell what is normal, how losers look, how long winners take.")
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


@cli.command(short_help="Look whether everything that is promised holds.")
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


@cli.command(short_help="Show the whole thing on generated data.")
def demo() -> None:
    """Show the whole thing on generated data; a second run changes nothing."""
    from rich.console import Console

    from ingest import config
    from ingest import demo as demonstration

    demonstration.run(config.load(), Console(highlight=False))


@cli.command(short_help="Write the documentation of every model as one page.")
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


def _in_use(settings: Settings) -> str:
    return f"the database is {settings.database}, from {settings.source.value}"


def _contents(settings: Settings) -> str:
    """What the database holds, as far as a user would miss it."""
    from contextlib import closing

    import psycopg2

    from ingest.database import connect
    from ingest.errors import DatabaseError
    from ingest.verify_raw import counted, one_row

    try:
        with closing(connect(settings)) as connection:
            found = one_row(connection, "verify_facts")
    except (psycopg2.ProgrammingError, DatabaseError):
        return "no fills"
    if not found.fills:
        return "no fills"
    return (
        f"{counted(found.fills, 'fill')} of {counted(found.accounts, 'account')},"
        f" {found.first_day} to {found.last_day}, and"
        f" about {counted(found.marks, 'mark')}"
    )


def main() -> None:
    """Run the command line; every failure is one line and an exit status."""
    debug = bool(os.environ.get("EXCURSION_DEBUG"))
    try:
        status = cli.main(prog_name="excursion", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "excursion"
        said = error.format_message().rstrip(".")
        _fail(f"{said}; see `{command} --help`", error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except click.Abort:
        # click's word for Ctrl-C, after which a shell expects 128 + SIGINT.
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`); neither is there anything to
        # say, nor may Python try to flush at exit. 1, as click says elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ExcursionError as error:
        if debug:
            raise
        _fail(str(error), error.exit_status)
    except Exception as error:
        if debug:
            raise
        reason = " ".join(str(error).split())
        _fail(
            f"unexpected {type(error).__name__}: {reason} "
            "(EXCURSION_DEBUG=1 shows the traceback)",
            1,
        )
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, exit_status: int) -> None:
    click.echo(f"excursion: {message}", err=True)
    sys.exit(exit_status)


if __name__ == "__main__":
    main()
