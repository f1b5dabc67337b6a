"""Where things are and where the database is, and what a failed connection says."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ingest import config, database
from ingest.errors import DatabaseError, DatabaseUnreachableError, UsageError

PASSWORD = "hunter2-Zq"


def test_the_checkout_is_the_nearest_folder_with_a_dbt_project(tmp_path: Path) -> None:
    tmp_path.joinpath("dbt_project.yml").touch()
    below = tmp_path / "models" / "marts"
    below.mkdir(parents=True)
    settings = config.load({}, cwd=below)
    assert settings.root == tmp_path
    assert settings.state_dir == tmp_path / ".excursion"


def test_elsewhere_the_checkout_that_the_program_is_installed_from_counts(
    tmp_path: Path,
) -> None:
    checkout = Path(__file__).resolve().parents[2]
    assert config.load({}, cwd=tmp_path).root == checkout


def test_a_relative_state_folder_is_relative_to_the_checkout(tmp_path: Path) -> None:
    tmp_path.joinpath("dbt_project.yml").touch()
    environ = {"EXCURSION_STATE_DIR": "state"}
    assert config.load(environ, cwd=tmp_path / "ingest").state_dir == tmp_path / "state"


@pytest.mark.parametrize(
    ("environ", "source", "name"),
    [
        ({}, config.Source.EMBEDDED, None),
        ({"DATABASE_URL": "", "PGHOST": ""}, config.Source.EMBEDDED, None),
        ({"PGPASSWORD": "x", "PGTZ": "UTC"}, config.Source.EMBEDDED, None),
        ({"PGHOST": "h"}, config.Source.ENVIRONMENT, "h/the default database"),
        ({"PGUSER": "u"}, config.Source.ENVIRONMENT, "u at the default socket"),
        ({"PGSERVICE": "s"}, config.Source.ENVIRONMENT, "service s"),
        (
            {"DATABASE_URL": "postgresql://u:p@h:1/d", "PGHOST": "x"},
            config.Source.URL,
            "u@h:1/d",
        ),
        (
            {"DATABASE_URL": "postgresql://u:p@/d", "PGHOST": "x", "PGPORT": "2"},
            config.Source.URL,
            "u@x:2/d",
        ),
        ({"DATABASE_URL": "host=/s dbname=d"}, config.Source.URL, "d at /s"),
        ({"DATABASE_URL": "postgres://[::1]/d"}, config.Source.URL, "[::1]/d"),
    ],
)
def test_what_decides_where_the_database_is(
    environ: dict[str, str], source: config.Source, name: str | None, tmp_path: Path
) -> None:
    settings = config.load(environ, cwd=tmp_path)
    assert settings.source is source
    assert settings.database == name or source is config.Source.EMBEDDED


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg2://u:{PASSWORD}@h/d",
        f"mysql://u:{PASSWORD}@h/d",
        f"postgresql://u:{PASSWORD}@h/d?no_such_option=1",
        f"postgresql://u:{PASSWORD}%zz@h/d",
        PASSWORD,
    ],
)
def test_a_malformed_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError, match="DATABASE_URL is not") as caught:
        config.load({"DATABASE_URL": url})
    assert PASSWORD not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value.exit_status == 2


def test_settings_do_not_show_the_password() -> None:
    settings = config.load({"DATABASE_URL": f"postgresql://u:{PASSWORD}@h/d"})
    assert PASSWORD not in repr(settings)


def connecting(monkeypatch: pytest.MonkeyPatch, url: str) -> DatabaseError:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(DatabaseError) as caught:
        database.connect()
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d"
    error = connecting(monkeypatch, url)
    assert isinstance(error, DatabaseUnreachableError)
    assert str(error) == (
        f"nothing listens at u@127.0.0.1:{port}/d: start that server, or correct "
        "DATABASE_URL"
    )


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = connecting(monkeypatch, f"postgresql://u@127.0.0.1:{port}/d")
    assert str(error).startswith(f"no answer from u@127.0.0.1:{port}/d")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ('password authentication failed for user "u"', "refuses the user or the pass"),
        ('role "u" does not exist', "refuses the user or the password"),
        ('database "d" does not exist', "createdb"),
        ("the database system is starting up", "try again shortly"),
        ("sorry, too many clients already", "no free connection"),
        ('no pg_hba.conf entry for host "h"', "pg_hba.conf"),
        (f"something new about {PASSWORD}", "cannot connect to u@127.0.0.1"),
    ],
)
def test_what_a_server_refuses_with(
    says: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = b"SFATAL\0C28000\0M" + says.encode() + b"\0\0"
    answer = b"E" + (len(message) + 4).to_bytes(4) + message

    def refuse() -> None:
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse)
        thread.start()
        port = server.getsockname()[1]
        url = f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d?sslmode=disable"
        error = connecting(monkeypatch, url)
        thread.join()
    assert words in str(error)


def test_an_old_server(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        server_version = 140002
        closed = False

        def close(self) -> None:
            self.closed = True

    old = Old()
    monkeypatch.setattr("psycopg2.connect", lambda *_, **__: old)
    error = connecting(monkeypatch, f"postgresql://u:{PASSWORD}@h/d")
    assert str(error) == "PostgreSQL 14.2 is too old: excursion needs 15 or newer"
    assert old.closed


def excursion(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in an environment of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ingest.cli", *arguments],
        cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", **environ},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("command", ["start", "stop", "status", "url", "psql"])
def test_the_command_line_refuses_in_one_line(command: str) -> None:
    done = excursion("db", command, DATABASE_URL=f"mysql://u:{PASSWORD}@h/d")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("excursion: DATABASE_URL is not a PostgreSQL URL")
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr


def test_the_printed_url_is_a_database_url(tmp_path: Path) -> None:
    environ = {
        "PGHOST": "/a b,c",
        "PGUSER": "u@x",
        "PGDATABASE": "é/?",
        "PGPORT": "7",
    }
    first = excursion("db", "url", **environ).stdout.strip()
    second = config.load({"DATABASE_URL": first}, cwd=tmp_path)
    assert second.database == config.load(environ, cwd=tmp_path).database
    assert excursion("db", "url", DATABASE_URL=first).stdout.strip() == first


def test_an_unexpected_failure_is_one_line_too(tmp_path: Path) -> None:
    code = (
        "import ingest.cli, ingest.config\n"
        "def fail(*_): raise ZeroDivisionError('of\\nall')\n"
        "ingest.config.load = fail\n"
        "import sys; sys.argv = ['excursion', 'db', 'url']\n"
        "ingest.cli.main()"
    )
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, env={}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        "excursion: unexpected ZeroDivisionError: of all "
        "(EXCURSION_DEBUG=1 shows the traceback)\n"
    )
    environ = {"EXCURSION_DEBUG": "1"}
    done = subprocess.run(
        command, cwd=root, env=environ, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
