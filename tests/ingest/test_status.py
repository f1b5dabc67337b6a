"""``excursion status``: what it says with both answers, with one, and with none."""

from __future__ import annotations

import json
import os
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from ingest.health import HealthServer
from ingest.heartbeat import Heartbeat
from ingest.metrics import Metrics
from ingest.state import AccountState, State, StreamState, utc_now
from tests.support.command import Ended, excursion
from tests.support.postgres import Database

FINE, NOT_WELL, WRONG_USE, NOT_RUNNING = 0, 1, 2, 3


def working() -> State:
    """The State of a daemon that works since a while."""
    state = State(started_at=utc_now() - timedelta(hours=6, minutes=18))
    state.database_problem = None
    state.last_commit_at = utc_now() - timedelta(seconds=2)
    for name, account, symbols in (
        ("trading:main", "main", 0),
        ("trading:income", "income", 0),
        ("stock_data", None, 28),
        ("option_data", None, 112),
    ):
        stream = state.streams[name] = StreamState(name, account, symbols=symbols)
        stream.went_live()
        stream.live_since = utc_now() - timedelta(hours=6, minutes=17)
        stream.last_event_at = utc_now() - timedelta(seconds=12)
    crypto = state.streams["crypto_data"] = StreamState("crypto_data")
    crypto.want(False)
    for name in ("main", "income"):
        at = utc_now() - timedelta(seconds=20)
        state.accounts[name] = AccountState(name, at, None)
    state.spool.depth_bytes, state.spool.limit_bytes = 1_260_000, 4 << 30
    state.received.update(
        {
            ("trade_updates", "main"): 301,
            ("trade_updates", "income"): 44,
            ("stock_data", ""): 1_204_123,
            ("option_data", ""): 90_122,
            ("activities", "main"): 1_022,
        }
    )
    state.tally.update({("fill", "written"): 211, ("fill", "duplicate"): 422})
    state.tally.update({("mark", "written"): 402_123, ("mark", "duplicate"): 12})
    state.tally["message", "skipped"] = 12
    state.thinned["stock_data"] = 801_200
    return state


@contextmanager
def daemon(state: State) -> Iterator[HealthServer]:
    with closing(HealthServer(state, Metrics(state), port=0)) as server:
        yield server


@contextmanager
def beating(database: Database, state: State) -> Iterator[None]:
    heart = Heartbeat(database.connect, state, ["main", "income"], seconds=0.1)
    heart.start()
    assert heart.wait_for_locks(15)
    try:
        yield
    finally:
        heart.stop()


def status(database: Database, port: int, *more: str, **environ: str) -> Ended:
    environment = {"EXCURSION_HTTP_PORT": str(port), "COLUMNS": "80", **environ}
    return excursion("status", *more, environment=database.environment(**environment))


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


def test_a_daemon_that_works(database: Database) -> None:
    state = working()
    with daemon(state) as server, beating(database, state):
        ended = status(database, server.port)
    assert ended.status == FINE, ended.err
    shown = ended.out
    assert ended.err == ""
    assert max(map(len, shown.splitlines())) <= 80
    assert re.match(
        r"excursion 0.1.0, process \d+, up 6 h 18 min since .* UTC\n", shown
    )
    assert "\nready        everything that is wanted is recorded\n" in shown
    for pattern in (
        # The command itself takes a while, on a busy machine some seconds.
        r"trading:main +live +6 h 17 min +1[2-9] s ago +0 +-",
        r"stock_data +live +6 h 17 min +1[2-9] s ago +0 +28",
        r"crypto_data +not needed +- +never +0 +-",
        r"income +works +2\d s +0 +0 +0",
        r"fill +211 +422",
        r"received +1,295,612 messages \(",
        r"thinned +801,200 quotes \(stock_data 801,200\)",
        r"quarantine +nothing was set aside",
        r"spool +1.2 MiB of 4.0 GiB",
        r"database +up: last commit \d s ago",
        r"heartbeat +main 0 s ago, income 0 s ago",
    ):
        assert re.search(f"(?m)^{pattern}", shown), pattern
    assert "\x1b" not in shown


def test_what_is_wrong_comes_first(database: Database) -> None:
    state = working()
    income = state.streams["trading:income"]
    income.went_down("the broker refuses the keys (HTTP 401): look at accounts.income")
    income.not_live_since -= 200
    state.streams["stock_data"].went_down("reconnecting: connection reset")
    state.accounts["main"].mismatches = 1
    state.quarantined["not_json"] = 3
    with daemon(state) as server, beating(database, state):
        ended = status(database, server.port)
        as_json = status(database, server.port, "--json")
    assert ended.status == as_json.status == NOT_WELL
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    joined = re.sub(r"\s+", " ", ended.out)
    assert (
        "ALARM trading:income: not live: the broker refuses the keys (HTTP 401): look"
        " at accounts.income (for 3 min)" in joined
    )
    assert "ALARM main: 1 position differs from the broker's" in joined
    assert "not ready stock_data is not live: reconnecting" in joined
    # What an alarm says is not said again.
    assert "trading:income is not live" not in joined
    assert joined.index("ALARM") < joined.index("Streams")
    assert "quarantine 3 messages (not_json 3); see raw.quarantine" in joined
    assert re.search(r"(?m)^trading:income +not live +3 min", ended.out)
    said = json.loads(as_json.out)
    kinds = [alarm["kind"] for alarm in said["daemon"]["alarms"]]
    assert kinds == ["stream_down", "mismatch"]
    assert [beat["account_name"] for beat in said["heartbeats"]] == ["income", "main"]


def test_without_a_daemon_the_last_heartbeat_is_shown(
    database: Database, free_port: int
) -> None:
    state = working()
    why = f"nothing answers on port {free_port}\n"
    with beating(database, state):
        beats = status(database, free_port)
        # As a kill leaves it: no last beat tells of the end.
        hours = "beat_at = now() - interval '3 hours'"
        database.execute(
            f"create table killed as table raw.heartbeats; update killed set {hours}"  # noqa: S608
        )
    database.execute("truncate raw.heartbeats")
    database.execute("insert into raw.heartbeats table killed")
    silent = status(database, free_port, "--json")
    killed = status(database, free_port)
    assert beats.status == killed.status == silent.status == NOT_RUNNING
    assert f"not running  {why}" in beats.out
    assert "So young a heartbeat" in beats.out
    joined = re.sub(r"\s+", " ", killed.out)
    ended = "last heartbeat 3 h ago, it did not stop by itself"
    assert f"not running {ended}; {why.strip()} Last" in joined
    assert re.search(r"(?m)^main +3 h ago +was live +20.* 1\.2 MiB$", killed.out)
    assert "the next start writes it" in killed.out
    assert "So young" not in killed.out
    assert json.loads(silent.out)["daemon"] is None


def test_a_clean_stop_is_no_worry(database: Database, free_port: int) -> None:
    state = working()
    with beating(database, state):
        # As the daemon does once everything is written.
        state.spool.depth_bytes = 0
    database.execute("update raw.heartbeats set beat_at = now() - interval '5 minutes'")
    ended = status(database, free_port)
    assert ended.status == NOT_RUNNING
    assert ended.out.startswith(
        f"stopped      5 min ago; nothing answers on port {free_port}\n"
    )
    assert re.search(r"(?m)^main +5 min ago +stopped +20.* -$", ended.out)
    assert "heartbeat means" not in ended.out
    assert "spool is on disk" not in ended.out


def test_not_ready_is_not_fine_and_nothing_thinned_is_nothing(
    database: Database,
) -> None:
    state = working()
    state.streams["stock_data"].went_down("reconnecting: connection reset")
    state.thinned["stock_data"] = 0
    with daemon(state) as server:
        ended = status(database, server.port)
    assert "ALARM" not in ended.out
    assert "\nnot ready    stock_data is not live: reconnecting" in ended.out
    assert ended.status == NOT_WELL
    assert re.search(r"(?m)^thinned +nothing$", ended.out)


def test_without_a_daemon_that_ever_ran(database: Database, free_port: int) -> None:
    ended = status(database, free_port)
    assert ended.status == NOT_RUNNING
    assert "no ingester ever wrote to" in ended.out


def test_without_a_database_the_daemon_is_enough(
    database: Database, free_port: int
) -> None:
    url = f"postgresql://trader:s3cret@127.0.0.1:{free_port}/trades"
    with daemon(working()) as server:
        ended = status(database, server.port, DATABASE_URL=url)
    assert ended.status == FINE
    assert "heartbeat    unknown: nothing listens at trader@127.0.0.1" in ended.out
    neither = status(database, free_port, DATABASE_URL=url)
    assert neither.status == NOT_RUNNING
    assert "database     nothing listens at" in neither.out
    assert "s3cret" not in ended.out + neither.out


def test_tables_that_are_missing_are_named(
    empty_database: Database, free_port: int
) -> None:
    ended = status(empty_database, free_port)
    assert ended.status == NOT_RUNNING
    assert "`excursion migrate`" in ended.out


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "what answers on port"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"program": "x"}', "what answers on port"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", "what answers on port"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no answer"),
        (b"", "no answer"),
    ],
    ids=["page", "other program", "list", "no HTTP", "silence"],
)
def test_a_stranger_on_the_port(answer: bytes, said: str, database: Database) -> None:
    class Stranger(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4_096)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = status(database, server.server_address[1])
        server.shutdown()
    assert ended.status == NOT_RUNNING
    assert said in ended.out
    assert ended.err == ""


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none(port: str, database: Database) -> None:
    environment = database.environment(EXCURSION_HTTP_PORT=port)
    ended = excursion("status", environment=environment)
    assert ended.status == WRONG_USE
    assert "EXCURSION_HTTP_PORT" in ended.failure


def test_the_port_is_the_option_s_then_the_settings(
    database: Database, free_port: int, tmp_path: Any
) -> None:
    with daemon(working()) as server:
        given = status(database, free_port, "--port", str(server.port))
        file = tmp_path / "excursion.toml"
        file.write_text(
            f'[accounts.main]\nkey_id = "k"\nsecret_key = "s"\n'
            f"[ingest]\nhttp_port = {server.port}\n"
        )
        environment = database.environment(EXCURSION_CONFIG=str(file))
        read = excursion("status", environment=environment)
    assert given.status == read.status == FINE


def test_states_are_coloured_on_a_terminal(database: Database) -> None:
    state = working()
    state.streams["stock_data"].went_down("reconnecting")
    environment = {"FORCE_COLOR": "1", "TERM": "xterm"}
    assert "NO_COLOR" not in os.environ
    with daemon(state) as server:
        shown = status(database, server.port, **environment).out
    assert "\x1b[32mlive" in shown
    assert "\x1b[1;31mnot live" in shown
    assert "\x1b[33mnot ready" in shown
