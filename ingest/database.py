"""Connections to the database, and their failures in one line each."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import parse_dsn

from ingest import config
from ingest.errors import DatabaseError, DatabaseUnreachableError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

#: Oldest server whose SQL (MERGE, security_invoker views) the models may use, as
#: PostgreSQL states it: major version x 10000 + minor.
OLDEST_SERVER = 150000

#: Seconds to wait for a server that does not answer, unless the URL or
#: PGCONNECT_TIMEOUT says otherwise.
CONNECT_TIMEOUT = 10


def connect(
    settings: config.Settings | None = None,
    *,
    application_name: str = "excursion",
    patience_seconds: int | None = None,
) -> Connection:
    """Open a connection whose session speaks UTC.

    Args:
        settings: Where the database is; default: what the environment says.
        application_name: How the session shows in ``pg_stat_activity``, unless the
            URL or ``PGAPPNAME`` names it.
        patience_seconds: How long a statement, a lock or a network that gives no sign
            of life may take before the statement fails; default: for ever.

    Returns:
        A connection outside any transaction, with autocommit off.

    Raises:
        DatabaseUnreachableError: Nothing answers there.
        DatabaseError: The server refuses, or is older than PostgreSQL 15.
        UsageError: ``DATABASE_URL`` is malformed (only without ``settings``).
    """
    if settings is None:
        settings = config.load()
    given = parse_dsn(settings.dsn)
    options: dict[str, Any] = {"fallback_application_name": application_name}
    if "connect_timeout" not in given and not os.environ.get("PGCONNECT_TIMEOUT"):
        options["connect_timeout"] = CONNECT_TIMEOUT
    if patience_seconds is not None:
        options |= {
            "keepalives_idle": patience_seconds // 3,
            "keepalives_interval": patience_seconds // 6,
            "keepalives_count": 3,
            "tcp_user_timeout": patience_seconds * 1000,
        }
    try:
        connection: Connection = psycopg2.connect(settings.dsn, **options)
    except psycopg2.OperationalError as error:
        raise _explain(str(error), settings) from None
    if connection.server_version < OLDEST_SERVER:
        version = _version(connection.server_version)
        connection.close()
        raise DatabaseError(
            f"PostgreSQL {version} is too old: excursion needs 15 or newer"
        )
    # A statement, not a start-up option: connection poolers refuse those. Outside a
    # transaction, so that a later rollback does not take it back.
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
        if patience_seconds is not None:
            milliseconds = patience_seconds * 1000
            cursor.execute("set statement_timeout to %s", (milliseconds,))
            cursor.execute("set lock_timeout to %s", (milliseconds,))
    connection.autocommit = False
    return connection


def _version(number: int) -> str:
    """140002 -> 14.2; before version 10: 90624 -> 9.6.24."""
    if number >= 100000:
        return f"{number // 10000}.{number % 10000}"
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


#: What libpq or the server says, and what the user should read. libpq gives no code
#: for a connection that fails, only text.
_EXPLANATIONS: tuple[tuple[str, type[DatabaseError], str], ...] = (
    (
        r"could not translate host name",
        DatabaseUnreachableError,
        "the database's host is unknown ({where}): check the host in {source}",
    ),
    (
        r"Connection refused|No such file or directory",
        DatabaseUnreachableError,
        "nothing listens at {where}: start that server, or correct {source}",
    ),
    (
        r"timeout expired|timed out|No route to host|Network is unreachable",
        DatabaseUnreachableError,
        "no answer from {where}: check the host in {source} and the network",
    ),
    (
        r"starting up|shutting down|in recovery",
        DatabaseUnreachableError,
        "the database {where} is starting up or shutting down: try again shortly",
    ),
    (
        r"no password supplied",
        DatabaseError,
        "the database {where} wants a password: give it in DATABASE_URL, PGPASSWORD "
        "or ~/.pgpass",
    ),
    (
        r"authentication failed|role .* (does not exist|is not permitted)",
        DatabaseError,
        "the database {where} refuses the user or the password: check both in {source}",
    ),
    (
        r"database .* does not exist",
        DatabaseError,
        "the database does not exist ({where}): create it with createdb, or correct "
        "{source}",
    ),
    (
        r"no pg_hba\.conf entry",
        DatabaseError,
        "the server does not admit this user from this machine ({where}): ask for a "
        "line in its pg_hba.conf, or try sslmode=require",
    ),
    (
        r"too many (clients|connections)|connection slots are reserved",
        DatabaseError,
        "the database {where} has no free connection: try again, or raise its "
        "max_connections",
    ),
)


def _explain(text: str, settings: config.Settings) -> DatabaseError:
    """Turn libpq's text into one line that says what to do."""
    if settings.source is config.Source.EMBEDDED and re.search(
        "No such file or directory|Connection refused", text
    ):
        return DatabaseUnreachableError(
            "the embedded database is not running: run `excursion db start`"
        )
    names = {"where": settings.database, "source": settings.source.value}
    for pattern, error, message in _EXPLANATIONS:
        if re.search(pattern, text):
            return error(message.format(**names))
    # libpq names hosts, users and options in its texts, never the password, but a
    # malformed value could be one that was put in the wrong place.
    first = text.strip().splitlines()[0] if text.strip() else "no reason given"
    password = parse_dsn(settings.dsn).get("password")
    for secret in (password, os.environ.get("PGPASSWORD")):
        if secret:
            first = first.replace(secret, "***")
    return DatabaseError(f"cannot connect to {settings.database}: {first}")
