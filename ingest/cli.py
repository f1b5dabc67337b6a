"""The command line: ``excursion``.

A command is imported when it is called, and imports what it needs when it runs, so
that ``--help`` and completion answer at once.
"""

from __future__ import annotations

import os
import sys

import click

from ingest import __version__
from ingest.commands.lazy import LazyGroup
from ingest.errors import ExcursionError

#: Name of a command -> where it is, and its line in the list.
COMMANDS = {
    "db": (
        "ingest.commands.db:db",
        "Start, stop, find or empty the database.",
    ),
    "demo": (
        "ingest.commands.reports:demo",
        "Show the whole thing on generated data.",
    ),
    "docs": (
        "ingest.commands.reports:docs",
        "Write the documentation of every model as one page.",
    ),
    "ingest": (
        "ingest.commands.daemon:ingest",
        "Record what Alpaca's streams and REST tell, until stopped.",
    ),
    "maintain": (
        "ingest.commands.maintain:maintain",
        "Make closed days of marks compact; archive old ones.",
    ),
    "migrate": (
        "ingest.commands.facts:migrate",
        "Bring the raw schema up to date.",
    ),
    "record-decisions": (
        "ingest.commands.decisions:record_decisions",
        "Write what the bots decided, from a file or a pipe.",
    ),
    "replay": (
        "ingest.commands.facts:replay",
        "Write recordings (JSON Lines) into the database.",
    ),
    "standin": (
        "standin.command:standin",
        "Serve a local Alpaca that plays a recording.",
    ),
    "stats": (
        "ingest.commands.reports:stats",
        "Tell what is normal, and what a loser looks like.",
    ),
    "status": (
        "ingest.commands.watch:status",
        "Tell how the running ingester is doing.",
    ),
    "verify": (
        "ingest.commands.facts:verify",
        "Look whether everything that is promised holds.",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="excursion")
def cli() -> None:
    """Record what trading bots do on Alpaca, and learn from it."""


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
