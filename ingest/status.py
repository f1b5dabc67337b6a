"""``excursion status``: what the daemon says, and what it last told the database.

Either may be missing.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from ingest import config, logs, settings
from ingest.database import connect
from ingest.errors import DatabaseError, UsageError
from ingest.sql import statement

DEFAULT_PORT = 9464
PORT_VARIABLE = "EXCURSION_HTTP_PORT"

#: Exit statuses besides 0: there are alarms or it is not ready, and nothing answers.
NOT_WELL, NOT_RUNNING = 1, 3

#: Seconds to wait for the daemon, which answers in milliseconds or hangs.
PATIENCE = 3.0

#: Bytes; a status of hundreds of streams is smaller.
LONGEST_ANSWER = 4 << 20


@dataclass(slots=True)
class Report:
    """Both answers. Where ``daemon`` is None, ``daemon_problem`` says why.

    ``daemon`` is the document of /status; ``heartbeats`` are rows of raw.heartbeats
    with ``beat_age_seconds``, by the database's clock; ``started_at`` is None in those
    of an ingester that stopped by itself.
    """

    port: int
    daemon: dict[str, Any] | None = None
    daemon_problem: str | None = None
    database: str | None = None
    database_problem: str | None = None
    heartbeats: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        if self.daemon is None:
            return NOT_RUNNING
        is_well = self.daemon["is_ready"] and not self.daemon["alarms"]
        return 0 if is_well else NOT_WELL

    def as_json(self) -> str:
        """One JSON object, with both answers as they came."""
        return json.dumps(
            logs.Redactor().plain(
                {
                    "port": self.port,
                    "daemon": self.daemon,
                    "daemon_problem": self.daemon_problem,
                    "database": self.database,
                    "database_problem": self.database_problem,
                    "heartbeats": self.heartbeats,
                }
            ),
            indent=1,
        )


def report(port: int | None = None, environ: Mapping[str, str] | None = None) -> Report:
    """Ask the daemon and the database.

    Raises UsageError where the port, or DATABASE_URL, is malformed.
    """
    env = os.environ if environ is None else environ
    found = Report(port=_port(env) if port is None else port)
    _ask_daemon(found)
    _ask_database(found)
    return found


def _port(env: Mapping[str, str]) -> int:
    given = env.get(PORT_VARIABLE, "").strip()
    if given:
        if not given.isdecimal() or not 0 < int(given) < 65536:
            raise UsageError(f"{PORT_VARIABLE}={given}: write a number from 1 to 65535")
        return int(given)
    try:
        # Where there is a settings file, the daemon read it too.
        return settings.load(env).ingest.http_port or DEFAULT_PORT
    except UsageError:
        return DEFAULT_PORT


def _ask_daemon(found: Report) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=PATIENCE)
    where = f"port {found.port}"
    try:
        with closing(connection):
            connection.request("GET", "/status")
            answer = connection.getresponse()
            said = json.loads(answer.read(LONGEST_ANSWER))
        if said["program"] != "excursion ingest":
            raise ValueError
    except ConnectionRefusedError:
        found.daemon_problem = f"not running: nothing answers on {where}"
    except TimeoutError:
        found.daemon_problem = f"no answer on {where} within {PATIENCE:.0f} s"
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        found.daemon_problem = f"no answer on {where} ({' '.join(reason.split())})"
    except (ValueError, KeyError, TypeError, RecursionError):
        found.daemon_problem = f"what answers on {where} is not excursion ingest"
    else:
        found.daemon = said


def _ask_database(found: Report) -> None:
    where = config.load()
    found.database = where.database
    try:
        with (
            closing(connect(where, application_name="excursion status")) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("set statement_timeout to '5s'")
            cursor.execute(statement("reports/heartbeats"))
            names = [column.name for column in cursor.description or ()]
            rows = cursor.fetchall()
        found.heartbeats = [dict(zip(names, row, strict=True)) for row in rows]
    except DatabaseError as error:
        found.database_problem = str(error)
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn):
        found.database_problem = "its tables are not up to date: `excursion migrate`"
    except psycopg2.Error as error:
        found.database_problem = str(error).partition("\n")[0]
