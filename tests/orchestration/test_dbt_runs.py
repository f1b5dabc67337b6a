"""What becomes of a dbt that fails: another try, or none; and where its records go."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from dagster import DagsterInstance, Definitions
from psycopg2.extensions import parse_dsn

from orchestration.dbt_runs import (
    environment,
    is_lost_connection,
    keep_records,
    reason,
)
from tests.support.dagster_dev import free_port
from tests.support.ingester import eventually
from tests.support.postgres import Database


@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused',
        "server closed the connection unexpectedly\n\tThis probably means the server",
        "terminating connection due to administrator command",
        "FATAL:  the database system is starting up",
        'could not translate host name "db" to address: Name or service not known',
        "SSL connection has been closed unexpectedly",
    ],
)
def test_a_lost_database_is_worth_another_try(message: str) -> None:
    assert is_lost_connection(f"Database Error\n  {message}")
    assert not is_lost_connection(f"Failure in test unique_fills_id\n  {message}")


@pytest.mark.parametrize(
    "message",
    [
        "Failure in test assert_one_position_open (tests/dbt/x.sql)\n  Got 1 result",
        'column "ammount" does not exist',
        "another dbt build began while this one ran",
    ],
)
def test_what_is_wrong_stays_wrong(message: str) -> None:
    assert not is_lost_connection(message)


def test_a_failure_is_told_without_the_command() -> None:
    message = (
        "The dbt CLI process with command\n\n`dbt build --select a b c`\n\nfailed with"
        " exit code `1`.\n\nErrors parsed from dbt logs:\n\n\x1b[31mFailure in test"
        " unique_fills_id\x1b[0m\n  Got 1 result, configured to fail if != 0\n"
    )
    assert reason(message) == (
        "Failure in test unique_fills_id\n  Got 1 result, configured to fail if != 0"
    )
    assert reason("it ended") == "it ended"


def test_the_date_is_for_dbt_alone() -> None:
    with environment(("2026-03-02", "2026-03-08")):
        assert os.environ["EXCURSION_AS_OF_DATE_FROM"] == "2026-03-02"
        assert os.environ["EXCURSION_AS_OF_DATE_UNTIL"] == "2026-03-08"
    assert "EXCURSION_AS_OF_DATE_FROM" not in os.environ


def test_records_are_kept_where_a_url_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run_results.json").write_text("{}")
    keep_records(tmp_path, "run/step")
    monkeypatch.setenv("EXCURSION_DAGSTER_RECORDS_URL", f"file://{tmp_path}/kept/")
    keep_records(tmp_path, "run/step")
    kept = tmp_path / "kept" / "run" / "step"
    assert [path.name for path in kept.iterdir()] == ["run_results.json"]


def test_a_run_outlives_a_database_that_is_away(
    built: Database,
    definitions: Definitions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing listens at first; then the server is there again."""
    monkeypatch.setattr("orchestration.dbt_runs.FIRST_WAIT_SECONDS", 3)
    parts, port = parse_dsn(built.url), free_port()
    monkeypatch.setenv(
        "DATABASE_URL", f"postgresql://{parts['user']}@127.0.0.1:{port}/{built.name}"
    )
    job = definitions.resolve_job_def("refresh_positions")
    results = []
    with DagsterInstance.local_temp(str(tmp_path)) as instance:

        def run() -> None:
            results.append(
                job.execute_in_process(instance=instance, raise_on_error=False)
            )

        thread = threading.Thread(target=run)
        thread.start()
        # Until dbt has found nobody once, and Dagster waits.
        eventually(lambda: retried(instance), timeout=120)
        with forwarding(port, f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"):
            thread.join(120)
    [result] = results
    assert result.success


def retried(instance: DagsterInstance) -> bool:
    return any(
        record.dagster_event is not None
        and record.dagster_event.event_type_value == "STEP_UP_FOR_RETRY"
        for run in instance.get_runs()
        for record in instance.all_logs(run.run_id)
    )


@contextmanager
def forwarding(port: int, path: str) -> Iterator[None]:
    """A TCP port that leads to the server's socket."""
    with socket.create_server(("127.0.0.1", port)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=join, args=(client,), daemon=True).start()

        def join(client: socket.socket) -> None:
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(path)
                back = threading.Thread(target=pump, args=(server, client))
                back.start()
                pump(client, server)
                back.join()

        threading.Thread(target=accept, daemon=True).start()
        yield


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
