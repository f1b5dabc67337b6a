"""The health server: true answers, and no client that gets in the way."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest

from ingest import health, logs
from ingest.alarms import Limits, alarms
from ingest.errors import UsageError
from ingest.health import HealthServer
from ingest.metrics import Metrics
from ingest.state import AccountState, State, StreamState, utc_now

PATIENCE = 30


def working() -> State:
    """The State of a daemon that has nothing to complain of."""
    state = State(database_problem=None, last_commit_at=utc_now())
    for name, account in (("trading:main", "main"), ("stock_data", None)):
        state.streams[name] = StreamState(name, account)
        state.streams[name].went_live()
    state.accounts["main"] = AccountState("main", utc_now(), None)
    state.spool.limit_bytes = 4 << 30
    return state


@pytest.fixture
def state() -> State:
    return working()


@pytest.fixture
def server(state: State) -> Iterator[HealthServer]:
    with closing(HealthServer(state, Metrics(state), port=0)) as running:
        yield running


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    with closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def status(server: HealthServer) -> Any:
    return json.loads(get(server, "/status")[1])


def test_a_working_daemon_is_healthy_and_ready(server: HealthServer) -> None:
    assert get(server, "/healthz") == (200, "ok\n")
    assert get(server, "/readyz?verbose=1") == (200, "ok\n")
    said = status(server)
    assert said["is_healthy"] and said["is_ready"]
    assert said["alarms"] == said["not_ready"] == []


def test_a_daemon_that_just_started_is_not_ready(server: HealthServer) -> None:
    fresh = State()
    with closing(HealthServer(fresh, Metrics(fresh), port=0)) as starting:
        assert get(starting, "/healthz")[0] == 200
        code, said = get(starting, "/readyz")
        assert code == 503
        assert "starting: no account is recorded yet" in said
        # A minute is granted before that is an alarm.
        assert status(starting)["alarms"] == []


def long_ago(seconds: float) -> datetime:
    return utc_now() - timedelta(seconds=seconds)


def break_stream(state: State) -> None:
    state.streams["trading:main"].went_down("no answer to\nauthenticate")
    state.streams["trading:main"].not_live_since -= 61


def break_catchup(state: State) -> None:
    state.accounts["main"].last_catchup_at = long_ago(301)
    state.accounts["main"].catchup_problem = "HTTP 429"


def break_database(state: State) -> None:
    state.database_problem = "nothing listens at localhost"


def break_spool(state: State) -> None:
    state.spool.is_full = True


def break_disk(state: State) -> None:
    state.spool.problem = "No space left on device"


def break_loop(state: State) -> None:
    state.loop_seen_at -= 31


def fill_spool(state: State) -> None:
    state.spool.depth_bytes = state.spool.limit_bytes - 1


def break_position(state: State) -> None:
    state.accounts["main"].mismatches = 2


def break_order(state: State) -> None:
    state.accounts["main"].holes = 1


@pytest.mark.parametrize(
    ("wrong", "healthy", "ready", "alarm", "reason"),
    [
        (
            break_stream,
            *(200, 503, ("stream_down", "trading:main")),
            "trading:main is not live: no answer to authenticate\n",
        ),
        (
            break_catchup,
            *(200, 503, ("catchup_stale", "main")),
            "main was caught up 5 min ago: HTTP 429\n",
        ),
        (
            break_database,
            *(200, 503, ("database_down", "")),
            "the database is not written to: nothing listens at localhost\n",
        ),
        (
            break_spool,
            *(503, 503, ("spool_full", "")),
            "the spool is full, intake waits\n",
        ),
        (
            break_disk,
            *(503, 503, ("spool_full", "")),
            "the spool takes nothing: No space left on device\n",
        ),
        (
            break_loop,
            *(503, 503, ("loop_stuck", "")),
            "the event loop does not run\n",
        ),
        (fill_spool, 200, 200, ("spool_filling", ""), "ok\n"),
        (break_position, 200, 200, ("mismatch", "main"), "ok\n"),
        (break_order, 200, 200, ("order_hole", "main"), "ok\n"),
    ],
)
def test_what_is_wrong_is_told(
    wrong: Any,
    healthy: int,
    ready: int,
    alarm: tuple[str, str],
    reason: str,
    state: State,
    server: HealthServer,
) -> None:
    wrong(state)
    assert get(server, "/healthz")[0] == healthy
    assert get(server, "/readyz") == (ready, reason)
    said = status(server)
    assert [(each["kind"], each["subject"]) for each in said["alarms"]] == [alarm]
    assert said["is_ready"] == (ready == 200)
    assert "excursion_alarms 1.0" in get(server, "/metrics")[1]


def test_what_is_short_is_no_alarm_yet(state: State, server: HealthServer) -> None:
    state.streams["trading:main"].went_down("reconnecting")
    state.accounts["main"].last_catchup_at = long_ago(290)
    assert get(server, "/readyz")[0] == 503
    assert status(server)["alarms"] == []


def test_what_is_not_wanted_need_not_be_live(
    state: State, server: HealthServer
) -> None:
    stream = state.streams["stock_data"]
    stream.went_down("no symbols")
    stream.not_live_since -= 3_600
    stream.want(False)
    assert get(server, "/readyz") == (200, "ok\n")
    # Wanted again: its minute begins now.
    stream.want(True)
    assert get(server, "/readyz")[0] == 503
    assert status(server)["alarms"] == []


def test_the_loop_says_that_it_runs(state: State, server: HealthServer) -> None:
    break_loop(state)
    assert get(server, "/healthz")[0] == 503
    server.alive()
    assert get(server, "/healthz")[0] == 200


def test_an_alarm_keeps_its_text_while_it_lasts(state: State) -> None:
    break_stream(state)
    break_catchup(state)
    first = [alarm.text for alarm in alarms(state, Limits())]
    state.streams["trading:main"].not_live_since -= 100
    state.accounts["main"].last_catchup_at = long_ago(900)
    assert [alarm.text for alarm in alarms(state, Limits())] == first
    assert first[1] == "main: no catch-up worked: HTTP 429"


def test_limits_are_settings(state: State) -> None:
    state.accounts["main"].last_catchup_at = long_ago(30)
    limits = Limits(catchup=20)
    server = HealthServer(state, Metrics(state, limits), port=0, limits=limits)
    with closing(server):
        assert get(server, "/readyz")[0] == 503


def test_no_secret_is_told(state: State, server: HealthServer) -> None:
    logs._redactor = logs.Redactor(["PK4XQ9ZT1"])
    try:
        state.streams["trading:main"].went_down("refused key PK4XQ9ZT1")
        for path in ("/readyz", "/status"):
            told = get(server, path)[1]
            assert "refused key ***" in told
    finally:
        logs._redactor = logs.Redactor()


def test_only_pages_that_exist_and_only_reading(server: HealthServer) -> None:
    code, said = get(server, "/")
    assert code == 404 and "/status" in said
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert get(server, "/status", method)[0] == 405
    assert get(server, "/metrics", "HEAD") == (200, "")


def test_an_answer_that_fails_is_one_line(
    state: State, server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "document", lambda *_: 1 / 0)
    assert get(server, "/status") == (
        500,
        "the answer could not be made; the log tells why\n",
    )
    assert get(server, "/healthz")[0] == 200


def test_a_port_in_use_is_one_line(server: HealthServer) -> None:
    state = State()
    with pytest.raises(UsageError, match=f"port {server.port} of .* set http_port"):
        HealthServer(state, Metrics(state), port=server.port)
    with pytest.raises(UsageError, match=r"http_host no\.such\.host\.invalid"):
        HealthServer(state, Metrics(state), host="no.such.host.invalid", port=0)
    with pytest.raises(UsageError, match="correct http_host and http_port"):
        HealthServer(state, Metrics(state), host="192.0.2.1", port=0)


def test_it_listens_on_ipv6_too() -> None:
    state = working()
    try:
        server = HealthServer(state, Metrics(state), host="::1", port=0)
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with closing(server):
        connection = http.client.HTTPConnection("::1", server.port, timeout=PATIENCE)
        with closing(connection):
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200


def test_slow_clients_are_hung_up_on_and_block_nobody(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 2.0)
    address = ("127.0.0.1", server.port)
    slow = [socket.create_connection(address, timeout=PATIENCE) for _ in range(3)]
    try:
        # One says nothing, one begins, one sends a byte now and then.
        slow[1].sendall(b"GET /status HTTP/1.1\r\n")
        slow[2].sendall(b"GET ")
        began = time.monotonic()
        assert get(server, "/healthz")[0] == 200
        assert time.monotonic() - began < 1.9
        for _ in range(3):
            time.sleep(0.5)
            slow[2].sendall(b"x")
        for each in slow:
            assert each.recv(100) == b""
        assert time.monotonic() - began < PATIENCE
    finally:
        for each in slow:
            each.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /" + b"x" * 100_000,
        b"",
    ],
    ids=["empty", "one word", "TLS", "endless", "nothing"],
)
def test_nonsense_hurts_nobody(sent: bytes, server: HealthServer) -> None:
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, timeout=PATIENCE) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            told = client.recv(1_000)
        except OSError as error:
            # Hung up on while it was still talking.
            if error.errno not in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
                raise
            told = b""
    assert told == b"" or told.startswith(b"HTTP/1.1 400 ")
    assert get(server, "/healthz")[0] == 200


def test_a_crowd_is_hung_up_on_and_recovered_from(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads_before = threading.active_count()
    address = ("127.0.0.1", server.port)
    crowd = [socket.create_connection(address, timeout=PATIENCE) for _ in range(60)]
    try:
        deadline = time.monotonic() + PATIENCE
        while threading.active_count() < threads_before + health.MOST_CLIENTS:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)
        assert threading.active_count() <= threads_before + health.MOST_CLIENTS
    finally:
        for each in crowd:
            each.close()
    while True:
        try:
            assert get(server, "/healthz")[0] == 200
            return
        except (ConnectionError, http.client.HTTPException):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_close_ends_at_once_whoever_is_connected(state: State) -> None:
    server = HealthServer(state, Metrics(state), port=0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE):
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < health.PATIENCE / 2
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
