"""Whatever the database does, everything received is in it afterwards, once."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.writer import WRITER_LOCK
from standin import Alpaca, running
from tests.support.gateway import Gateway
from tests.support.ingester import Ingester, Zygote, eventually, ingesting
from tests.support.postgres import Database

MAIN = {"main": ("PKMAIN0001", "a-secret-of-main")}
QUICK = "tests.support.quick_plan:install"
IMPATIENT = "tests.support.quick_plan:impatient"
#: REST does not fill in here what the stream would have lost.
STREAM_ONLY = {"on_rest": False}
FILLS = "select count(*) from raw.fills"


class Burst(threading.Thread):
    """Executions of one order each, as fast as the stand-in takes them."""

    def __init__(self, alpaca: Alpaca, n: int, **options: Any) -> None:
        super().__init__(name="burst", daemon=True)
        self._alpaca, self._n, self._options = alpaca, n, options
        self.executed: list[str] = []

    def run(self) -> None:
        for number in range(self._n):
            frame = self._alpaca.execute(
                "main", "SPY", "buy", 1, f"{100 + number % 100}.25", **self._options
            )
            self.executed.append(frame["data"]["execution_id"])


def check(database: Database, executed: list[str]) -> None:
    """Exactly these executions, each with one dedupe row of its own."""
    eventually(lambda: database.query(FILLS), [(len(executed),)], timeout=30)
    stored = database.query("select execution_id::text from raw.fills")
    assert sorted(row[0] for row in stored) == sorted(executed)
    names = database.query(
        "select event_id from raw.alpaca_event_dedupe where fill_event_id = event_id"
    )
    assert sorted(row[0] for row in names) == sorted(f"exec:{e}" for e in executed)
    assert not database.query("select * from raw.quarantine")


def is_ready(daemon: Ingester) -> bool:
    return daemon.get("/readyz")[0] == 200


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_down_in_a_burst(
    how: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            burst = Burst(alpaca, 400)
            burst.start()
            eventually(lambda: database.query(FILLS) > [(20,)])
            gateway.down() if how == "refuses" else gateway.hang()
            burst.join()
            before = database.query(FILLS)
            if how == "refuses":
                eventually(lambda: not is_ready(daemon))
                assert "the database is not written to" in daemon.get("/readyz")[1]
                # Nobody who supervises it may restart it for that.
                assert daemon.get("/healthz")[0] == 200
            time.sleep(1)
            assert database.query(FILLS) == before < [(400,)]
            assert daemon.status()["spool"]["depth_bytes"]
            gateway.up()
            check(database, burst.executed)
            eventually(lambda: is_ready(daemon))
            assert daemon.stop() == 0


def test_down_in_a_quiet_moment_is_told_all_the_same(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """Nothing waits to be written, so that no write could fail."""
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            eventually(lambda: is_ready(daemon))
            eventually(lambda: daemon.status()["spool"]["depth_bytes"], 0)
            gateway.down()
            eventually(lambda: daemon.status()["database"]["is_up"], False, timeout=20)
            assert not is_ready(daemon)
            # And it stays told while messages collect.
            burst = Burst(alpaca, 20)
            burst.run()
            time.sleep(1)
            assert not is_ready(daemon)
            gateway.up()
            check(database, burst.executed)
            eventually(lambda: is_ready(daemon))
            assert daemon.stop() == 0


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_it_ends_in_time_while_the_database_is_away(
    how: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            eventually(lambda: is_ready(daemon))
            gateway.down() if how == "refuses" else gateway.hang()
            burst = Burst(alpaca, 50, **STREAM_ONLY)
            burst.start()
            burst.join()
            eventually(lambda: spooled(tmp_path, burst.executed))
            assert daemon.stop() == 0
        assert database.query(FILLS) == [(0,)]
        gateway.up()
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            check(database, burst.executed)
            assert daemon.stop() == 0


def spooled(folder: Path, executed: list[str]) -> bool:
    """Whether all of it is on disk."""
    text = "".join(
        path.read_text() for path in (folder / "state" / "spool").glob("*.jsonl")
    )
    return all(execution in text for execution in executed)


def test_away_when_the_daemon_starts(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        gateway.down()
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            # Nobody knows whether another one records; recording matters more.
            burst = Burst(alpaca, 20, **STREAM_ONLY)
            burst.start()
            burst.join()
            gateway.up()
            check(database, burst.executed)
            assert daemon.stop() == 0


def test_sessions_killed_in_the_middle_of_transactions(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    victims = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where application_name = 'excursion ingest' and pid <> pg_backend_pid()"
        " and datname = current_database() and xact_start is not null"
    )
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            burst = Burst(alpaca, 800)
            burst.start()
            killed = 0
            while burst.is_alive() or killed < 5:
                [(count,)] = database.query(victims)
                killed += count
                if not burst.is_alive():
                    more = Burst(alpaca, 1)
                    more.run()
                    burst.executed += more.executed
            check(database, burst.executed)
            assert daemon.logs("database_failed")
            assert daemon.stop() == 0


def test_a_foreign_session_holds_a_lock(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            with closing(database.connect()) as foreign, foreign.cursor() as cursor:
                cursor.execute("lock table raw.fills in exclusive mode")
                burst = Burst(alpaca, 100, **STREAM_ONLY)
                burst.start()
                burst.join()
                time.sleep(0.5)
                assert database.query(FILLS) == [(0,)]
                assert daemon.status()["spool"]["depth_bytes"]
                foreign.rollback()
            check(database, burst.executed)
            assert daemon.stop() == 0


def test_a_writer_that_is_kept_waiting_is_not_well(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """It connects every time; only a commit shows that it can be written to."""
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=IMPATIENT
        ) as daemon:
            eventually(lambda: is_ready(daemon))
            with closing(database.connect()) as foreign, foreign.cursor() as cursor:
                cursor.execute("select pg_advisory_lock(%s)", (WRITER_LOCK,))
                burst = Burst(alpaca, 5)
                burst.run()
                eventually(lambda: daemon.status()["database"]["is_up"], False)
                for _ in range(30):
                    assert not daemon.status()["database"]["is_up"]
                    time.sleep(0.1)
            check(database, burst.executed)
            eventually(lambda: is_ready(daemon))
            assert daemon.stop() == 0


def test_it_ends_in_time_while_a_foreign_session_holds_a_lock(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            eventually(lambda: is_ready(daemon))
            with closing(database.connect()) as foreign, foreign.cursor() as cursor:
                cursor.execute("lock table raw.fills in exclusive mode")
                burst = Burst(alpaca, 20, **STREAM_ONLY)
                burst.start()
                burst.join()
                eventually(lambda: spooled(tmp_path, burst.executed))
                assert daemon.stop() == 0
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            check(database, burst.executed)
            assert daemon.stop() == 0


def test_a_deadlock_with_a_foreign_session(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """It holds the fills and wants the writer's own lock, the writer the opposite."""
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            eventually(lambda: is_ready(daemon))
            deadlocks = (
                "select deadlocks from pg_stat_database"
                " where datname = current_database()"
            )
            with closing(database.connect()) as foreign, foreign.cursor() as cursor:
                cursor.execute("set deadlock_timeout to '60s'")
                cursor.execute("lock table raw.fills in exclusive mode")
                burst = Burst(alpaca, 100, **STREAM_ONLY)
                burst.start()
                burst.join()
                waiting = "select count(*) from pg_locks where not granted"
                eventually(lambda: database.query(waiting) > [(0,)])
                # Waits for the writer, which waits for it: the writer is the victim.
                cursor.execute("select pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
                foreign.commit()
            check(database, burst.executed)
            eventually(lambda: database.query(deadlocks) > [(0,)])
            assert daemon.stop() == 0


def test_a_full_spool_blocks_and_drops_nothing(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    limit = 1 << 20
    n = 2_000
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            ingest={"spool_limit": limit, "ping_seconds": 30},
        ) as daemon:  # fmt: skip
            eventually(lambda: is_ready(daemon))
            gateway.down()
            first = Burst(alpaca, n, **STREAM_ONLY)
            first.start()
            eventually(
                lambda: "the spool is full" in daemon.get("/readyz")[1], True, 30
            )
            assert daemon.get("/healthz")[0] == 503
            assert daemon.logs("spool_full")
            memory = resident(daemon.pid)
            first.join(30)
            time.sleep(1)
            # What is received meanwhile waits in the sockets.
            depth = daemon.status()["spool"]["depth_bytes"]
            assert limit <= depth < 2 * limit
            assert resident(daemon.pid) < memory + (20 << 20)
            gateway.up()
            check(database, first.executed)
            eventually(lambda: is_ready(daemon))
            assert daemon.logs("spool_has_room")
            assert daemon.stop() == 0


def test_it_ends_in_time_while_the_spool_is_full(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            ingest={"spool_limit": 1 << 20},
        ) as daemon:  # fmt: skip
            eventually(lambda: is_ready(daemon))
            gateway.down()
            burst = Burst(alpaca, 1_000)
            burst.start()
            burst.join()
            eventually(lambda: daemon.status()["spool"]["is_full"])
            assert daemon.stop() == 0
        gateway.up()
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN
        ) as daemon:
            # What it left in the socket is found by REST.
            check(database, burst.executed)
            assert daemon.stop() == 0


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096
