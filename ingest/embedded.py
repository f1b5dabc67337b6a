"""The embedded server: a PostgreSQL of the project's own, in the state folder.

It is an ordinary server made from ordinary binaries (initdb, postgres), reachable
only through a unix socket in a folder that nobody else can enter. It outlives the
command that starts it and stops on ``excursion db stop``.

Layout of the state folder::

    postgres-18/       data, of one major version: another one makes its own
    postgres-18.log    the server's log
    postgres.lock      held while a server is started or stopped
    socket/            the socket, unless the path is too long for one
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.config import EMBEDDED_DATABASE, EMBEDDED_PORT, EMBEDDED_USER, Settings
from ingest.errors import EmbeddedServerError
from ingest.postgres_binaries import Account, Binaries, find, server_account

#: Given to the server at every start, so that a change here reaches existing data.
#: For a laptop with two cores.
SERVER_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "max_connections": "100",
    # Marks are partitioned by day, and a query over all of them locks each day.
    "max_locks_per_transaction": "256",
    # A statement of a program that was killed ends too, and with it its locks.
    "client_connection_check_interval": "10s",
    # Off would be faster, and kill -9 would then lose fills that were acknowledged.
    "synchronous_commit": "on",
    # Nobody replicates from here, and without it bulk loads need not write WAL.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Compiling costs more than it saves at these sizes, and the wheel cannot.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

#: Seconds until a start or a stop counts as failed. Crash recovery replays up to
#: max_wal_size, which takes half a minute on a slow disk.
PATIENCE = 120.0

#: The log is moved aside at a start when it is longer than this, in bytes.
LONGEST_LOG = 10_000_000


@dataclass(frozen=True)
class Status:
    """What can be said about the embedded server right now.

    Attributes:
        accepting: It answers and takes connections.
        pid: Its process, where one was found.
        socket_dir: Folder of its socket, whether or not it runs.
        changed: The call that returned this started the server.
    """

    accepting: bool
    pid: int | None
    socket_dir: Path
    changed: bool = False


def status(settings: Settings) -> Status:
    """Ask the server whether it takes connections; change nothing.

    Raises:
        EmbeddedServerError: No PostgreSQL binaries were found.
    """
    accepting = _accepting(find(), settings.socket_dir)
    return Status(accepting, _server_pid(settings.state_dir), settings.socket_dir)


def start(settings: Settings) -> Status:
    """Start the server unless it runs, creating its data on the first start.

    Any number of processes may call this at once; one of them starts it. Returns
    when the server takes connections.

    Raises:
        EmbeddedServerError: It could not be started; the message says why.
    """
    binaries = find()
    if _accepting(binaries, settings.socket_dir):
        return status(settings)
    with _lock(settings.state_dir), _os_errors_explained():
        if _await_running(binaries, settings):
            return status(settings)
        account = server_account(binaries)
        data = settings.state_dir / f"postgres-{binaries.major}"
        _make_socket_dir(settings.socket_dir, account)
        if not (data / "PG_VERSION").exists():
            _create(binaries, account, data)
        _launch(binaries, account, data, settings.socket_dir)
        pid = _server_pid(settings.state_dir)
    return Status(True, pid, settings.socket_dir, changed=True)


def stop(settings: Settings) -> bool:
    """Stop the server: roll back what is open, disconnect everybody, write it out.

    Returns:
        Whether there was a server to stop.

    Raises:
        EmbeddedServerError: It did not stop in time.
    """
    if not settings.state_dir.exists():
        return False
    with _lock(settings.state_dir), _os_errors_explained():
        pid = _server_pid(settings.state_dir)
        if pid is None:
            return False
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        while _server_pid(settings.state_dir) == pid:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"the embedded server (process {pid}) did not stop in "
                    f"{PATIENCE:.0f} s: see the log in {settings.state_dir}"
                )
            time.sleep(0.02)
    return True


def reset(settings: Settings) -> None:
    """Replace the database by an empty one, disconnecting whoever uses it."""
    import psycopg2
    from psycopg2.extensions import make_dsn

    start(settings)
    with _lock(settings.state_dir):
        connection = psycopg2.connect(make_dsn(settings.dsn, dbname="postgres"))
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            name = EMBEDDED_DATABASE
            # Not there where a reset was interrupted: another one completes it.
            cursor.execute(f"drop database if exists {name} with (force)")
            cursor.execute(f"create database {name}")


@contextmanager
def _lock(state_dir: Path) -> Iterator[None]:
    with _os_errors_explained():
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "postgres.lock").open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _os_errors_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            f"the embedded server cannot use {error.filename}: {error.strerror}; set "
            "EXCURSION_STATE_DIR to a folder of your own, or DATABASE_URL"
        ) from error


def _accepting(binaries: Binaries, socket_dir: Path) -> bool:
    # `pg_ctl status` would look for the process and take a zombie for a server.
    command = [str(binaries / "pg_isready"), "-q", "-h", str(socket_dir)]
    answer = subprocess.run(
        [
            *command,
            "-p",
            str(EMBEDDED_PORT),
            "-U",
            EMBEDDED_USER,
            "-d",
            EMBEDDED_DATABASE,
        ],
        env=_environment(),
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return answer.returncode == 0


def _server_pid(state_dir: Path) -> int | None:
    """Process of the live server of any major version, None where there is none."""
    for pid_file in sorted(state_dir.glob("postgres-*/postmaster.pid")):
        pid = _recorded_pid(pid_file)
        if pid is not None and _is_server(pid, pid_file.parent):
            return pid
    return None


def _recorded_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_server(pid: int, data: Path) -> bool:
    """Whether ``pid`` is alive and the server of ``data``.

    After a crash or a reboot the recorded number may be a zombie, or belong to
    somebody else's process, which must not be signalled.
    """
    if not _alive(pid):
        return False
    try:
        # The server's working directory is its data.
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # macOS: no better answer
    except PermissionError:
        return True


def _alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except PermissionError:
        return True


def _await_running(binaries: Binaries, settings: Settings) -> bool:
    """Wait for a server that is starting, recovering or stopping.

    Returns:
        True when it takes connections, False when there is none (any more).
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        if _accepting(binaries, settings.socket_dir):
            return True
        pid = _server_pid(settings.state_dir)
        if pid is None:
            return False
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"the embedded server (process {pid}) runs but does not answer: run "
                "`excursion db stop`, then `excursion db start`"
            )
        time.sleep(0.05)


def _make_socket_dir(socket_dir: Path, account: Account) -> None:
    try:
        socket_dir.mkdir(mode=0o700)
        account.own(socket_dir)
    except FileExistsError:
        pass
    found = socket_dir.lstat()
    # Anybody may create a folder of this name in the temp folder first.
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != account.uid
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise EmbeddedServerError(
            f"{socket_dir} is not a private folder of the server's user: remove it, or "
            "set EXCURSION_STATE_DIR to another folder"
        )


def _create(binaries: Binaries, account: Account, data: Path) -> None:
    """Make the data folder, complete or not at all: it is renamed into place."""
    unfinished = data.with_name(f"{data.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    account.check_access(unfinished, binaries)
    _run(
        account,
        [
            *(str(binaries / "initdb"), "--pgdata", str(unfinished)),
            *("--username", EMBEDDED_USER, "--encoding=UTF8", "--locale=C.UTF-8"),
            # Whoever can enter the socket's folder owns the data anyway; no TCP.
            *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
        ],
    )
    # A server that answers must already have the database: make it before any does.
    _run(
        account,
        [str(binaries / "postgres"), "--single", "-D", str(unfinished), "postgres"],
        stdin=f"create database {EMBEDDED_DATABASE}\n",
    )
    unfinished.rename(data)


def _run(account: Account, command: list[str], *, stdin: str = "") -> None:
    """Run a server-side program to its end, its output in the error if it fails."""
    done = subprocess.run(
        [*account.prefix, *command],
        input=stdin,
        env=_environment(),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **account.popen,
    )
    if done.returncode:
        program = Path(command[0]).name
        raise EmbeddedServerError(
            f"the embedded server could not be created: {program} says: "
            f"{_last_words(done.stdout)}"
        )


def _launch(binaries: Binaries, account: Account, data: Path, socket_dir: Path) -> None:
    """Start ``postgres`` in a session of its own and wait until it answers."""
    log = data.with_name(f"{data.name}.log")
    if log.exists() and log.stat().st_size > LONGEST_LOG:
        log.replace(log.with_name(f"{log.name}.1"))
    quoted = str(socket_dir).replace('"', '""')
    server_settings = {
        **SERVER_SETTINGS,
        "listen_addresses": "",
        "port": str(EMBEDDED_PORT),
        "unix_socket_directories": f'"{quoted}"',
        "unix_socket_permissions": "0700",
    }
    command = [*account.prefix, str(binaries / "postgres"), "-D", str(data)]
    for name, value in server_settings.items():
        command += ["-c", f"{name}={value}"]
    environment = _environment()
    dead = _recorded_pid(data / "postmaster.pid")
    if dead is not None:
        # We know that this process is no server, but as a zombie or under a number
        # used again it looks alive, and postgres would refuse to start. It exempts
        # pg_ctl's parent from that check, and keeps its others (shared memory).
        environment["PG_GRANDPARENT_PID"] = str(dead)
    with log.open("ab") as output:
        # The shell ends at once and leaves the server to init, so that a long-lived
        # caller keeps no zombie. Its only output is the server's process number.
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            env=environment,
            check=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            **account.popen,
        )
    pid = int(shell.stdout)
    deadline = time.monotonic() + PATIENCE
    while not _accepting(binaries, socket_dir):
        if not _alive(pid) or time.monotonic() > deadline:
            raise EmbeddedServerError(
                "the embedded server did not start: "
                f"{_last_words(log.read_text(errors='replace'))} (see {log})"
            )
        time.sleep(0.05)


def _last_words(output: str) -> str:
    """The last error in the output of a PostgreSQL program, else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search("FATAL|PANIC|error:", line)]
    return (errors or lines or ["no output"])[-1]


def _environment() -> dict[str, str]:
    """The environment without what would redirect or translate PostgreSQL."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}
