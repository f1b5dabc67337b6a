"""``excursion db``: the database that everything else writes to and reads."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ingest.config import Settings

#: Exit status of `db status` for a database that takes no connections, as with the
#: status of an init script ("program is not running").
NOT_RUNNING = 3


@click.group()
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
