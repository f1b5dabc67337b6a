"""The embedded server: real servers in temporary folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from ingest import config, embedded, postgres_binaries
from ingest.database import connect
from ingest.errors import DatabaseUnreachableError, EmbeddedServerError

ROOT = Path(__file__).parents[2]

MakeSettings = Callable[[str], config.Settings]


@pytest.fixture
def make_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeSettings]:
    """Settings of an embedded server in a folder; stopped and removed afterwards."""
    for name in [*os.environ]:
        if name.startswith("PG") or name in ("DATABASE_URL", "EXCURSION_STATE_DIR"):
            monkeypatch.delenv(name)
    made = []

    def make(folder: str) -> config.Settings:
        state_dir = tmp_path / folder
        settings = config.load({"EXCURSION_STATE_DIR": str(state_dir)}, cwd=tmp_path)
        made.append(settings)
        return settings

    yield make
    for settings in made:
        embedded.stop(settings)
        if settings.socket_dir.parent == Path("/tmp") and settings.socket_dir.exists():
            for left in settings.socket_dir.iterdir():
                left.unlink()
            settings.socket_dir.rmdir()


def run(settings: config.Settings, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line on these settings."""
    return subprocess.Popen(
        [sys.executable, "-m", "ingest.cli", "db", *arguments],
        cwd=ROOT,
        env={**os.environ, "EXCURSION_STATE_DIR": str(settings.state_dir)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answer(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def ask(settings: config.Settings, query: str) -> object:
    connection = connect(settings)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def write(settings: config.Settings, statement: str) -> None:
    connection = connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def test_life_of_a_server(make_settings: MakeSettings) -> None:
    settings = make_settings("state")
    assert not embedded.status(settings).accepting
    assert not embedded.stop(settings)
    assert not settings.state_dir.exists()

    first = embedded.start(settings)
    assert first.changed
    assert first.accepting
    again = embedded.start(settings)
    assert (again.pid, again.changed) == (first.pid, False)
    assert embedded.status(settings).pid == first.pid

    # Nobody else gets in: no TCP, and a folder for the owner only.
    assert ask(settings, "show listen_addresses") == ""
    assert settings.socket_dir.stat().st_mode & 0o077 == 0
    for name, value in embedded.SERVER_SETTINGS.items():
        assert ask(settings, f"show {name}") == value
    assert ask(settings, "show timezone") == "UTC"
    assert ask(settings, "select current_user::text") == "excursion"
    assert ask(settings, "select current_database()::text") == "excursion"
    assert ask(settings, "show server_encoding") == "UTF8"
    assert ask(settings, "show application_name") == "excursion"

    write(settings, "create table kept as select 42 as n")
    assert embedded.stop(settings)
    assert not embedded.stop(settings)
    with pytest.raises(DatabaseUnreachableError, match="run `excursion db start`"):
        connect(settings)
    embedded.start(settings)
    assert ask(settings, "select n from kept") == 42


def test_a_rollback_does_not_take_the_time_zone_back(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings("state")
    embedded.start(settings)
    write(settings, "alter database excursion set timezone to 'Asia/Tokyo'")
    connection = connect(settings)
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        connection.rollback()
        cursor.execute("show timezone")
        assert cursor.fetchone() == ("UTC",)
    connection.close()


@pytest.mark.parametrize(
    "folder", ["a b", 'it\'s "q" $x %41 \\', "with,comma", "é" + "x" * 120]
)
def test_any_path(make_settings: MakeSettings, folder: str) -> None:
    settings = make_settings(folder)
    embedded.start(settings)
    assert ask(settings, "select 1") == 1
    assert answer(run(settings, "status"))[0] == 0
    code, url = answer(run(settings, "url"))
    connection = psycopg2.connect(url.strip())
    connection.close()
    assert (code, answer(run(settings, "psql", "-Atc", "select 7"))) == (0, (0, "7\n"))


def test_eight_starts_at_once_give_one_server(make_settings: MakeSettings) -> None:
    settings = make_settings("state")
    starts = [run(settings, "start") for _ in range(8)]
    answers = [answer(process) for process in starts]
    assert [code for code, _ in answers] == [0] * 8
    assert sum(output.startswith("started") for _, output in answers) == 1
    log = next(settings.state_dir.glob("postgres-*.log")).read_text()
    assert log.count("starting PostgreSQL") == 1
    assert "lock file" not in log


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_a_killed_server_starts_again(
    make_settings: MakeSettings, reaped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("state")
    embedded.start(settings)
    write(settings, "create table kept as select 42 as n")
    pid = embedded.status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    if not reaped:
        # In a container whose first process does not wait for orphans, the dead
        # server keeps its number. Stand-in: another zombie of ours.
        zombie = subprocess.Popen(["true"])
        pid_file = next(settings.state_dir.glob("postgres-*/postmaster.pid"))
        rest = pid_file.read_text().split("\n", 1)[1]
        pid_file.write_text(f"{zombie.pid}\n{rest}")
        lock = settings.socket_dir / ".s.PGSQL.5432.lock"
        lock.write_text(f"{zombie.pid}\n{rest}")
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert not embedded.status(settings).accepting
    started = embedded.start(settings)
    assert started.changed
    assert started.pid != pid
    assert ask(settings, "select n from kept") == 42
    if not reaped:
        zombie.wait()


def test_a_recycled_process_number_is_not_signalled(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings("state")
    embedded.start(settings)
    embedded.stop(settings)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        data = next(settings.state_dir.glob("postgres-*/PG_VERSION")).parent
        data.joinpath("postmaster.pid").write_text(f"{bystander.pid}\n{data}\n")
        assert not embedded.stop(settings)
        embedded.start(settings)
        assert ask(settings, "select 1") == 1
        assert bystander.poll() is None
        bystander.kill()


def test_the_server_outlives_the_group_that_started_it(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings("state")
    code = (
        "import sys, time; from ingest import config, embedded\n"
        "embedded.start(config.load()); print('up', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "EXCURSION_STATE_DIR": str(settings.state_dir)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    os.killpg(parent.pid, signal.SIGINT)
    os.killpg(parent.pid, signal.SIGKILL)
    # End of file: the server does not hold the terminal or pipe of its starter.
    assert parent.stdout.read() == ""
    parent.wait()
    parent.stdout.close()
    time.sleep(0.2)
    assert ask(settings, "select 1") == 1


def test_a_creation_cut_short_is_done_again(make_settings: MakeSettings) -> None:
    settings = make_settings("state")
    major = postgres_binaries.find().major
    unfinished = settings.state_dir / f"postgres-{major}.unfinished"
    unfinished.mkdir(parents=True)
    unfinished.joinpath("PG_VERSION").write_text("half")
    embedded.start(settings)
    assert ask(settings, "select 1") == 1
    assert not unfinished.exists()


def test_somebody_elses_socket_folder_is_refused(make_settings: MakeSettings) -> None:
    settings = make_settings("x" * 120)
    settings.socket_dir.mkdir(mode=0o755)
    settings.socket_dir.chmod(0o755)
    with pytest.raises(EmbeddedServerError, match="is not a private folder"):
        embedded.start(settings)


def test_a_state_folder_that_cannot_be_made(make_settings: MakeSettings) -> None:
    settings = make_settings("file/state")
    settings.state_dir.parent.touch()
    with pytest.raises(EmbeddedServerError, match="set EXCURSION_STATE_DIR to a fold"):
        embedded.start(settings)


def test_a_server_that_cannot_start_says_why(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("state")
    monkeypatch.setattr(embedded, "SERVER_SETTINGS", {"shared_buffers": "lots"})
    with pytest.raises(EmbeddedServerError, match='"shared_buffers": "lots"'):
        embedded.start(settings)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_root_without_user_namespaces(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "_namespaces_work", lambda _: False)
    # pytest's folders are for their owner only.
    refused = make_settings("refused")
    with pytest.raises(EmbeddedServerError, match="does not run as root, and user"):
        embedded.start(refused)
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    settings = make_settings("state")
    embedded.start(settings)
    assert ask(settings, "select 1") == 1
    assert embedded.stop(settings)


def test_a_reset_leaves_an_empty_database(make_settings: MakeSettings) -> None:
    settings = make_settings("state")
    embedded.start(settings)
    write(settings, "create table kept as select 42 as n")
    status, said = answer(run(settings, "reset", "--yes"))
    assert status == 0, said
    assert said.startswith("dropped: excursion at ") and "no fills" in said
    assert ask(settings, "select to_regclass('kept')::text") is None
    # One that was interrupted half-way is completed by another.
    embedded.reset(settings)
    assert ask(settings, "select current_database()::text") == "excursion"


def test_a_reset_needs_a_word_and_the_embedded_database(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("state")
    embedded.start(settings)
    write(settings, "create table kept as select 42 as n")
    for variable in ("", "DATABASE_URL", "PGHOST"):
        if variable:
            monkeypatch.setenv(variable, "postgresql:///somebodys")
        arguments = ("reset", "--yes") if variable else ("reset",)
        status, said = answer(run(settings, *arguments))
        assert (status, said.count("\n")) == (2, 1), said
        assert ("only the embedded" if variable else "--yes") in said
        if variable:
            monkeypatch.delenv(variable)
    assert ask(settings, "select n from kept") == 42
