"""Settings, decided once from the environment.

Where the database is, the first that applies:

1. ``DATABASE_URL``: any libpq URI or ``key=value`` string. Parts it leaves out
   come from libpq's own variables and defaults, as with every libpq program.
2. Any of libpq's variables ``PGHOST``, ``PGHOSTADDR``, ``PGPORT``, ``PGDATABASE``,
   ``PGUSER``, ``PGSERVICE``.
3. Neither: the embedded server, through a socket in the state folder.

``profiles.yml`` states the same rules in Jinja for dbt, and
``tests/ingest/test_profiles.py`` holds the two together: change both or neither.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from ingest.errors import UsageError

#: Any one of these says that libpq already knows where the database is.
LIBPQ_VARIABLES = (
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGSERVICE",
)

EMBEDDED_PORT = 5432
EMBEDDED_USER = "excursion"
EMBEDDED_DATABASE = "excursion"

#: Longest state folder, in bytes, that still holds its own socket. A socket's path
#: is limited to 107 bytes on Linux and 103 on macOS; "/socket/.s.PGSQL.5432" takes
#: 21 of them.
LONGEST_STATE_DIR = 70


class Source(Enum):
    """What decided where the database is; the value is how messages call it."""

    URL = "DATABASE_URL"
    ENVIRONMENT = "the PG* variables"
    EMBEDDED = "the embedded server"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the environment decides.

    Attributes:
        root: The checkout: the nearest folder at or above the working directory
            with a ``dbt_project.yml``, else the one that the program is installed
            from, else the working directory. Absolute.
        state_dir: Where everything that a run leaves behind lives: the embedded
            server, spool, logs. ``EXCURSION_STATE_DIR``, default ``.excursion``
            in ``root``; a relative one is relative to ``root``. Absolute; may not
            exist yet.
        source: What decided where the database is.
        dsn: libpq connection string: ``DATABASE_URL`` as given, else a URL of the
            database. May hold a password: keep it out of messages.
        database: The same for people, without the password.
    """

    root: Path
    state_dir: Path
    source: Source
    dsn: str = field(repr=False)
    database: str

    @property
    def passwords(self) -> list[str]:
        """The database's, for what must not show them."""
        from psycopg2.extensions import parse_dsn

        said = (parse_dsn(self.dsn).get("password"), os.environ.get("PGPASSWORD"))
        return [password for password in said if password]

    @property
    def socket_dir(self) -> Path:
        """Folder of the embedded server's socket."""
        return _socket_dir(self.state_dir)


def load(
    environ: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> Settings:
    """Decide the settings.

    Args:
        environ: The environment; default: the process's own. It must be the
            process's own wherever the settings are used to connect, because libpq
            reads its variables itself.
        cwd: Where to look for the checkout from; default: the working directory.

    Raises:
        UsageError: ``DATABASE_URL`` is not something libpq understands.
    """
    env = os.environ if environ is None else environ
    root = _checkout_root(Path.cwd() if cwd is None else cwd.absolute())
    state_dir = root / (env.get("EXCURSION_STATE_DIR") or ".excursion")
    url = env.get("DATABASE_URL", "").strip()
    if url:
        source, dsn, parameters = Source.URL, url, _parse(url)
    elif any(env.get(name) for name in LIBPQ_VARIABLES):
        source, parameters = Source.ENVIRONMENT, _from_libpq_variables(env)
        dsn = _url(parameters)
    else:
        source = Source.EMBEDDED
        parameters = {
            "host": str(_socket_dir(state_dir)),
            "port": str(EMBEDDED_PORT),
            "user": EMBEDDED_USER,
            "dbname": EMBEDDED_DATABASE,
        }
        dsn = _url(parameters)
    return Settings(
        root=root,
        state_dir=state_dir,
        source=source,
        dsn=dsn,
        database=_describe(parameters, env),
    )


def _checkout_root(cwd: Path) -> Path:
    # From elsewhere the program's own checkout counts, where it is installed from one:
    # a second, empty database in whatever folder one stands in helps nobody.
    for folder in (cwd, *cwd.parents, Path(__file__).resolve().parents[1]):
        if (folder / "dbt_project.yml").is_file():
            return folder
    return cwd


def _socket_dir(state_dir: Path) -> Path:
    path = os.fsencode(state_dir)
    # libpq reads a comma in a host as the start of the next host.
    if len(path) <= LONGEST_STATE_DIR and b"," not in path:
        return state_dir / "socket"
    # Not $TMPDIR: every process must arrive at the same folder, whatever its own
    # environment. The md5 only names it; its owner and mode are what is checked.
    digest = hashlib.md5(path, usedforsecurity=False).hexdigest()
    return Path("/tmp") / f"excursion-{digest[:12]}"  # noqa: S108


def _from_libpq_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Connection parameters that the variables state, without the password."""
    if service := env.get("PGSERVICE"):
        # A service file comes before libpq's other variables, and after a URL: any
        # of them in the URL would turn that round.
        return {"service": service}
    names = {
        "host": "PGHOST",
        "hostaddr": "PGHOSTADDR",
        "port": "PGPORT",
        "user": "PGUSER",
        "dbname": "PGDATABASE",
    }
    return {key: env[name] for key, name in names.items() if env.get(name)}


def _url(parameters: Mapping[str, str]) -> str:
    """URL of these parameters, in the only form that also takes socket folders."""
    given = dict(parameters)
    user, name = (quote(given.pop(key, ""), safe="") for key in ("user", "dbname"))
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in given.items())
    return f"postgresql://{user and user + '@'}/{name}?{query}"


def _parse(url: str) -> dict[str, str]:
    # psycopg2 takes 20 ms to import, and most settings are read without it.
    import psycopg2
    from psycopg2.extensions import parse_dsn

    malformed = UsageError(
        "DATABASE_URL is not a PostgreSQL URL: write it as "
        "postgresql://user:password@host:5432/database, with any of @ : / ? # % "
        "in the password percent-encoded"
    )
    try:
        parameters: dict[str, str] = parse_dsn(url)
    except psycopg2.ProgrammingError:
        # libpq's own text repeats the URL, password and all.
        raise malformed from None
    # A password with a bare slash is taken apart there: its beginning is the port,
    # which no message may repeat.
    if not all(port.isdecimal() for port in parameters.get("port", "0").split(",")):
        raise malformed
    return parameters


def _describe(parameters: Mapping[str, str], env: Mapping[str, str]) -> str:
    """Name a database as libpq would find it, without its password."""

    def value(parameter: str, variable: str) -> str:
        return parameters.get(parameter) or env.get(variable, "")

    if service := parameters.get("service"):
        return f"service {service}"
    user = value("user", "PGUSER")
    host = value("host", "PGHOST") or value("hostaddr", "PGHOSTADDR")
    port = value("port", "PGPORT")
    name = value("dbname", "PGDATABASE") or user or "the default database"
    if not host or host.startswith("/"):
        return f"{name} at {host or 'the default socket'}"
    address = f"[{host}]" if ":" in host else host
    return f"{user and user + '@'}{address}{port and ':' + port}/{name}"
