"""``excursion maintain``: the upkeep of the marks' storage."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection  # noqa: N812


@click.command()
@click.option(
    "--archive-before",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Hand the marks of earlier days (UTC) to --archive-command and drop them.",
)
@click.option(
    "--archive-command",
    metavar="COMMAND",
    help="Stores a day's file; {file} and {day} are filled in. No shell.",
)
@click.option(
    "--restore",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Bring the marks of an archived file back.",
)
def maintain(
    archive_before: datetime | None, archive_command: str | None, restore: Path | None
) -> None:
    """Make closed days of marks compact; archive old ones if told so.

    Run it as often as you like: what is done is not done again. The ingester does the
    same once an hour, but never archives.
    """
    from ingest import archive, config, maintain
    from ingest.database import connect

    if (archive_before is None) != (archive_command is None):
        raise UsageError("--archive-before and --archive-command go together")
    if restore is not None and archive_before is not None:
        raise UsageError("--restore and --archive-before: one after the other")
    settings = config.load()
    with (
        closing(connect(settings)) as connection,
        maintain.only_maintenance(connection),
    ):
        if restore is not None:
            restored = archive.restore(connection, restore)
            click.echo(f"{restored.utc_day}: {restored.marks:,} marks are stored again")
            return
        if archive_before is not None and archive_command is not None:
            archived = archive.archive(
                connection,
                archive_before.date(),
                archive_command,
                settings.state_dir / "archive",
            )
            for day in archived:
                click.echo(
                    f"{day.utc_day}: {day.marks:,} marks archived as {day.file_name}"
                    " and dropped"
                )
        for line in _settled(connection):
            click.echo(line)


def _settled(connection: Connection) -> Iterator[str]:
    from ingest.maintain import days, settle_days

    for done in settle_days(connection):
        before, after = done.before, done.after
        # Before the first vacuum nobody has counted the marks.
        marks = max(1, after.marks)
        line = f"{after.utc_day}: {after.marks:,} marks, "
        if before.total_bytes == after.total_bytes:
            line += f"vacuumed, still {after.bytes_each:.1f} bytes each"
        else:
            was = before.total_bytes / marks
            line += f"{was:.1f} -> {after.bytes_each:.1f} bytes each"
        if not after.is_closed:
            line += ", not closed yet"
        elif not after.is_vacuumed:
            line += ", not all of it vacuumed: an older transaction may be open"
        elif not after.is_compact:
            line += ", the index is not compact"
        yield line
    closed = [day for day in days(connection) if day.is_closed]
    total, marks = sum(d.total_bytes for d in closed), sum(d.marks for d in closed)
    each = f", {total / marks:.1f} bytes a mark" if marks else ""
    n = len(closed)
    yield (
        f"{n:,} closed {'day' if n == 1 else 'days'}, {marks:,} marks,"
        f" {total / 1e6:,.1f} MB{each}"
    )
