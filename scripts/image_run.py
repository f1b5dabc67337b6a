"""The ingester's container at work: the local Alpaca on one side, PostgreSQL behind it.

Everything is on this machine's loopback and in a temporary folder, and ends with it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from image_engine import CONFINED, ROOT, Engine, ImageError, require

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

#: Of this checkout.
EXCURSION = [sys.executable, "-m", "ingest.cli"]
RECORDING = ROOT / "sample" / "session.jsonl.gz"
ACCOUNTS = ("income", "momentum")

#: Of the container and of its volume.
NAME = "excursion-image-test"
USER = 10001

#: Where the server's socket is inside the container.
SOCKETS = "/run/postgresql"
URL = f"--env=DATABASE_URL=postgresql://excursion@/excursion?host={SOCKETS}"

#: Seconds for the recording to be played and written, and for the end after SIGTERM.
PATIENCE = 120.0
STOP_SECONDS = 10.0


def run(engine: Engine, image: str) -> str:
    """Record a session, be healthy, end on SIGTERM; returns figures for a person."""
    with contextlib.ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="excursion-")
        folder = Path(stack.enter_context(made))
        sockets = stack.enter_context(_postgres(folder / "state"))
        played = stack.enter_context(_standin())
        database = [f"--volume={sockets}:{SOCKETS}", URL]
        said = engine.once(image, "migrate", options=database)
        require("validated constraints" in said, f"migrate says {said}")

        port = _free_port()
        told = [*database, *_settings(folder, played, port)]
        check = _health_check(engine, image)
        alone = ("run", "--rm", *CONFINED, *told, f"--entrypoint={check[0]}", image)
        done = engine.podman(*alone, *check[1:])
        require(done.returncode == 1, "the health check passes where nothing runs")

        # A run that was killed may have left both.
        _remove(engine)
        stack.callback(_remove, engine)
        volume = f"--volume={NAME}:/var/lib/excursion"
        container = (*CONFINED, *told, volume, f"--name={NAME}", image)
        done = engine.podman("run", "--detach", *container)
        require(done.returncode == 0, done.stderr)
        try:
            return _watch(engine, sockets, f"http://127.0.0.1:{played}", port)
        except ImageError as error:
            logs = engine.podman("logs", "--tail=20", NAME)
            raise ImageError(f"{error}\n{logs.stdout}{logs.stderr}") from None


def _watch(engine: Engine, sockets: Path, standin: str, port: int) -> str:
    expected = _replayed(sockets)
    with contextlib.closing(_connect(sockets, "excursion")) as connection:
        state = f"{standin}/standin/state"
        _until(lambda: _ask(state)["playback"]["is_done"], lambda: "not played yet")
        _until(
            lambda: expected <= _fills(connection) and _marks(connection),
            lambda: (
                f"of {len(expected)} fills {len(expected - _fills(connection))} are"
                f" missing; {_marks(connection)} marks"
            ),
        )
        done = engine.podman("healthcheck", "run", NAME)
        require(done.returncode == 0, f"it is not healthy: {done.stdout}{done.stderr}")
        where = _listening(port)
        require(where == {"0100007F"}, f"it listens on {where}, not only on loopback")
        asked = _ask(state)["forbidden_requests"]
        require(asked == 0, f"{asked} requests were not GET")

        started = time.monotonic()
        engine.podman("stop", "--time=15", NAME)
        seconds = time.monotonic() - started
        done = engine.podman("inspect", "--format={{.State.ExitCode}}", NAME)
        status = done.stdout.strip()
        require(status == "0", f"SIGTERM ended it with status {status}")
        require(seconds < STOP_SECONDS, f"it took {seconds:.0f} s to end")
        more = _fills(connection) - expected
        require(not more, f"fills that nobody executed: {more}")
        return (
            f"{len(expected):,} fills, each as `excursion replay` has it,"
            f" {_marks(connection):,} marks; ended in {seconds:.1f} s"
        )


def _connect(sockets: Path, name: str) -> Connection:
    connection = psycopg2.connect(host=str(sockets), user="excursion", dbname=name)
    connection.autocommit = True
    return connection


def _fills(connection: Connection) -> set[tuple[Any, ...]]:
    """What every execution was, without the name that it was heard under first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select account_name, order_id, kind, symbol, side, qty, price, cum_qty"
            " from raw.fills"
        )
        return set(cursor.fetchall())


def _marks(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from raw.marks")
        return int(cursor.fetchone()[0])


def _replayed(sockets: Path) -> set[tuple[Any, ...]]:
    """The recording's fills, from a second database that it is replayed into."""
    with contextlib.closing(_connect(sockets, "excursion")) as connection:
        connection.cursor().execute("create database replayed")
    url = f"postgresql://excursion@/replayed?host={sockets}"
    for command in (["migrate"], ["replay", str(RECORDING)]):
        done = subprocess.run(
            [*EXCURSION, *command],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        require(done.returncode == 0, done.stderr)
    with contextlib.closing(_connect(sockets, "replayed")) as connection:
        return _fills(connection)


def _settings(folder: Path, played: int, port: int) -> list[str]:
    """As in compose.yaml, for two accounts: keys in files that only the user reads."""
    http, sockets = f"http://127.0.0.1:{played}", f"ws://127.0.0.1:{played}"
    said = {
        "EXCURSION_ACCOUNTS": ",".join(ACCOUNTS),
        "EXCURSION_WATCH": ",".join(_symbols()),
        "EXCURSION_STOCK_URL": f"{sockets}/v2/iex",
        "EXCURSION_OPTION_URL": f"{sockets}/v1beta1/indicative",
        "EXCURSION_CRYPTO_URL": f"{sockets}/v1beta3/crypto/us",
        "EXCURSION_REST_URL": http,
        "EXCURSION_HTTP_PORT": str(port),
    }
    volumes = []
    for name in ACCOUNTS:
        prefix = f"EXCURSION_{name.upper()}"
        said[f"{prefix}_TRADING_URL"] = http
        said[f"{prefix}_STREAM_URL"] = f"{sockets}/stream"
        for field in ("key_id", "secret_key"):
            file = folder / f"{name}_{field}"
            file.write_text(f"{name}\n")
            os.chown(file, USER, USER)
            file.chmod(0o400)
            volumes.append(f"--volume={file}:/run/secrets/{file.name}:ro")
            said[f"{prefix}_{field.upper()}_FILE"] = f"/run/secrets/{file.name}"
    return [*volumes, *(f"--env={name}={value}" for name, value in said.items())]


def _recorded() -> Iterator[dict[str, Any]]:
    with gzip.open(RECORDING) as lines:
        yield from map(json.loads, lines)


def _symbols() -> list[str]:
    return sorted({m["msg"]["S"] for m in _recorded() if m["from"].endswith("_data")})


def _health_check(engine: Engine, image: str) -> list[str]:
    told: Any = engine.inspect(image)
    check = told.get("Healthcheck") or {}
    words: list[str] = check.get("Test", [])
    require(words[:1] == ["CMD"], f"no health check, or one for a shell: {words}")
    return words[1:]


def _remove(engine: Engine) -> None:
    engine.podman("rm", "--force", "--time=0", NAME)
    engine.podman("volume", "rm", "--force", NAME)


@contextlib.contextmanager
def _postgres(state: Path) -> Iterator[Path]:
    """The embedded server, new; yields its socket's folder, open to every user."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("PG")
    }
    environ["EXCURSION_STATE_DIR"] = str(state)

    def db(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*EXCURSION, "db", command],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    done = db("start")
    require(done.returncode == 0, done.stderr)
    try:
        sockets = state / "socket"
        sockets.chmod(0o755)
        (sockets / ".s.PGSQL.5432").chmod(0o777)
        yield sockets
    finally:
        db("stop")


@contextlib.contextmanager
def _standin() -> Iterator[int]:
    """The local Alpaca, which plays when everybody listens; yields its port."""
    options = ["--port=0", "--speed=0", "--wait", str(RECORDING)]
    with subprocess.Popen(
        [*EXCURSION, "standin", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            port = re.search(r"http://127\.0\.0\.1:(\d+)", first)
            if port is None:
                raise ImageError(f"the stand-in for Alpaca does not start: {first}")
            yield int(port[1])
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()


def _until(holds: Callable[[], object], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise ImageError(f"after {PATIENCE:.0f} s: {otherwise()}")
        time.sleep(0.2)


def _ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        said: dict[str, Any] = json.load(answer)
        return said


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _listening(port: int) -> set[str]:
    """Addresses, as the kernel writes them, that somebody listens on at this port."""
    lines = [
        line.split()
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
    ]
    listening = (local.split(":") for _, local, _, state, *_ in lines if state == "0A")
    return {address for address, number in listening if int(number, 16) == port}
