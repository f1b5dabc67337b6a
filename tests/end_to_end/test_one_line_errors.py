"""What goes wrong costs the user one clear line and no data."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import make_dsn, parse_dsn

from ingest import config, embedded
from ingest.database import connect
from ingest.replay import REPLAY_LOCK
from tests.support import contents, old_server, wire
from tests.support.command import PATIENCE, Ended, excursion, start
from tests.support.paths import SAMPLE
from tests.support.postgres import Database, Server, replay, scrub

#: Exit statuses: something outside is in the way; what the user gave is wrong.
IN_THE_WAY, WRONG_USE = 1, 2

PASSWORD = "s3cret-pass"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """The beginning of the sample: marks, orders, fills and decisions."""
    with gzip.open(SAMPLE, "rt") as file:
        return [line.rstrip("\n") for _, line in zip(range(3_000), file, strict=False)]


@pytest.fixture
def recording(lines: list[str], tmp_path: Path) -> Path:
    return written(lines, tmp_path / "good.jsonl")


def written(lines: list[str], path: Path) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def with_url(url: str, *arguments: str | Path) -> Ended:
    environment = scrub(dict(os.environ))
    return excursion(*arguments, environment={**environment, "DATABASE_URL": url})


def test_nothing_listens_there(recording: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    url = f"postgresql://trader:{PASSWORD}@127.0.0.1:{port}/trades"
    for command in (["migrate"], ["replay", recording]):
        ended = with_url(url, *command)
        assert ended.status == IN_THE_WAY
        assert f"nothing listens at trader@127.0.0.1:{port}/trades" in ended.failure
        assert PASSWORD not in ended.err + ended.out


def test_the_embedded_server_is_not_running(recording: Path, tmp_path: Path) -> None:
    environment = scrub(dict(os.environ))
    environment["EXCURSION_STATE_DIR"] = str(tmp_path / "state")
    ended = excursion("replay", recording, environment=environment)
    assert ended.status == IN_THE_WAY
    assert "run `excursion db start`" in ended.failure


@pytest.fixture(scope="module")
def strict_server() -> Iterator[str]:
    """URL without a password of a server that asks one user for it."""
    state_dir = Path(tempfile.mkdtemp(prefix="excursion-tests-"))
    settings = config.load({"EXCURSION_STATE_DIR": str(state_dir)})
    try:
        embedded.start(settings)
        with closing(connect(settings)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("create role trader login password %s", (PASSWORD,))
                cursor.execute("show hba_file")
                [(hba_file,)] = cursor.fetchall()
                rules = Path(hba_file).read_text()
                rule = "local all trader scram-sha-256\n"
                Path(hba_file).write_text(rule + rules)
                cursor.execute("select pg_reload_conf()")
        yield make_dsn(**{**parse_dsn(settings.dsn), "user": "trader"})
    finally:
        embedded.stop(settings)
        shutil.rmtree(state_dir)


def test_the_password_is_wrong(strict_server: str, recording: Path) -> None:
    wrong = "not-" + PASSWORD
    ended = with_url(f"{strict_server} password={wrong}", "replay", recording)
    assert ended.status == IN_THE_WAY
    assert "refuses the user or the password" in ended.failure
    assert PASSWORD not in ended.err + ended.out
    # The right one gets as far as to the next error.
    ended = with_url(f"{strict_server} password={PASSWORD}", "replay", recording)
    assert "excursion migrate" in ended.failure


def test_no_password_is_given(strict_server: str, recording: Path) -> None:
    ended = with_url(strict_server, "replay", recording)
    assert ended.status == IN_THE_WAY
    assert "wants a password" in ended.failure


def test_the_server_is_too_old(recording: Path) -> None:
    with old_server.claiming("14.2") as port:
        url = f"postgresql://trader@127.0.0.1:{port}/trades?sslmode=disable"
        ended = with_url(url, "replay", recording)
    assert ended.status == IN_THE_WAY
    assert "PostgreSQL 14.2 is too old" in ended.failure
    assert "15 or newer" in ended.failure


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://trader:s3cret-pass@[::1/trades",
        "mysql//trader:s3cret-pass",
        # Not percent-encoded: libpq takes what stands before the slash for a port.
        "postgresql://trader:s3cret/pass@127.0.0.1/trades",
        "postgresql://trader:s3cret-pass@127.0.0.1:port/trades",
    ],
)
def test_database_url_is_malformed(url: str, recording: Path) -> None:
    ended = with_url(url, "replay", recording)
    assert ended.status == WRONG_USE
    assert "DATABASE_URL" in ended.failure
    assert "s3cret" not in ended.err + ended.out


def test_migrations_are_missing(empty_database: Database, recording: Path) -> None:
    environment = empty_database.environment()
    ended = excursion("replay", recording, environment=environment)
    assert ended.status == IN_THE_WAY
    assert "excursion migrate" in ended.failure
    # Doing what the line says is enough.
    assert excursion("migrate", environment=environment).status == 0
    assert excursion("replay", recording, environment=environment).status == 0


def test_a_recording_is_missing(
    server: Server,
    database: Database,
    recording: Path,
    lines: list[str],
    tmp_path: Path,
) -> None:
    environment = database.environment()
    missing = tmp_path / "missing.jsonl"
    ended = excursion("replay", recording, missing, environment=environment)
    assert ended.status == WRONG_USE
    assert f"there is no recording {missing}" in ended.failure
    # What stands before it on the command line is written.
    assert contents.raw(database) == replayed(server, lines, tmp_path)


def test_a_truncated_gz_is_written_as_far_as_it_goes(
    server: Server, database: Database, lines: list[str], tmp_path: Path
) -> None:
    whole = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    cut = tmp_path / "session.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    readable = zlib.decompressobj(31).decompress(cut.read_bytes()).decode()
    complete_lines = readable.split("\n")[:-1]
    assert 100 < len(complete_lines) < len(lines)

    environment = database.environment()
    ended = excursion("replay", cut, environment=environment)
    assert ended.status == IN_THE_WAY
    assert f"damaged after line {len(complete_lines):,}" in ended.failure
    assert contents.raw(database) == replayed(server, complete_lines, tmp_path)

    cut.write_bytes(whole)
    assert excursion("replay", cut, environment=environment).status == 0
    assert contents.raw(database) == replayed(server, lines, tmp_path)


def replayed(server: Server, lines: list[str], folder: Path) -> dict[str, str]:
    """What a database holds after these lines and nothing else."""
    with server.created() as database:
        replay(database, lines, folder)
        return contents.raw(database)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"at": "2026-03-02T15:30:00Z", "from": "stock_data"', "not_json"),
        (wire.line("carrier_pigeon", {"T": "t"}), "unknown_channel"),
    ],
    ids=["not JSON", "unknown from"],
)
def test_an_unreadable_line_is_set_aside_and_the_rest_written(
    line: str,
    code: str,
    server: Server,
    database: Database,
    lines: list[str],
    tmp_path: Path,
) -> None:
    path = written([*lines[:500], line, *lines[500:]], tmp_path / "odd.jsonl")
    environment = database.environment()
    ended = excursion("replay", path, environment=environment)
    assert ended.status == 0, ended.err
    assert ended.err == ""
    kept = database.query("select reason_code, message from raw.quarantine")
    assert kept == [(code, line)]
    rest, all_else = contents.raw(database), replayed(server, lines, tmp_path)
    assert rest.pop("quarantine") != all_else.pop("quarantine")
    assert rest == all_else

    ended = excursion("replay", "--strict", path, environment=environment)
    assert ended.status == IN_THE_WAY
    assert "1 message was quarantined" in ended.failure
    # Once is enough, however often it comes.
    assert database.query("select count(*) from raw.quarantine") == [(1,)]


def test_a_second_replay_at_the_same_time_is_refused(
    server: Server, database: Database, lines: list[str], tmp_path: Path
) -> None:
    environment = database.environment()
    first = start("replay", "-", environment=environment, stdin=subprocess.PIPE)
    assert first.stdin is not None
    try:
        _wait_for_lock(database)
        path = written(lines[:1_000], tmp_path / "second.jsonl")
        ended = excursion("replay", path, environment=environment)
        assert ended.status == IN_THE_WAY
        assert "another replay is writing" in ended.failure
        assert "--wait" in ended.failure
        waiting = start("replay", "--wait", path, environment=environment)
        text = "".join(f"{line}\n" for line in lines[1_000:])
        _, err = first.communicate(text, timeout=PATIENCE)
        assert first.returncode == 0, err
        _, err = waiting.communicate(timeout=PATIENCE)
        assert waiting.returncode == 0, err
    finally:
        first.kill()
    assert contents.raw(database) == replayed(server, lines, tmp_path)


def _wait_for_lock(database: Database) -> None:
    """Until the first process holds the lock; it then waits for its input."""
    deadline = time.monotonic() + PATIENCE
    held = (
        "select count(*) from pg_locks where locktype = 'advisory'"
        " and (classid::bigint << 32 | objid::bigint) = %s"
    )
    while database.query(held, (REPLAY_LOCK,)) == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
