"""The trading stream, heard by alpaca-py's own client over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from standin import Alpaca
from tests.support.clients import Heard, listening, rest, trading_stream
from tests.support.wire import frame, order


@contextlib.contextmanager
def heard_live(alpaca: Alpaca, heard: Heard, **fields: Any) -> Iterator[None]:
    with listening(trading_stream(alpaca, heard, **fields)):
        alpaca.wait_live("main")
        yield


def numbered(alpaca: Alpaca, count: int) -> None:
    for number in range(1, count + 1):
        alpaca.execute(
            "main", "SPY", "buy", 1, 100, order_id=f"o{number}", announce=False
        )


def order_ids(heard: Heard) -> list[str]:
    return [message["data"]["order"]["id"] for message in heard.messages]


def exchange(alpaca: Alpaca, *sent: dict[str, Any]) -> list[aiohttp.WSMessage]:
    """What a bare client is answered, message for message."""

    async def talk() -> list[aiohttp.WSMessage]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(alpaca.stream_url) as client,
        ):
            answers = []
            for message in sent:
                await client.send_json(message)
                answers.append(await client.receive(timeout=5))
            return answers

    return asyncio.run(talk())


@pytest.mark.parametrize("is_binary", [False, True])
def test_frames_arrive_in_text_and_in_binary(
    alpaca: Alpaca, heard: Heard, is_binary: bool
) -> None:
    alpaca.faults.trading.binary = is_binary
    with heard_live(alpaca, heard):
        sent = alpaca.execute("main", "SPY", "buy", 10, "431.25")
        alpaca.execute("other", "SPY", "buy", 7, "431.25")
        heard.wait(3)
        time.sleep(0.05)
    assert heard.events == ["pending_new", "new", "fill"]
    assert heard.messages[2] == sent
    assert sent["data"]["position_qty"] == "10"


@pytest.mark.parametrize("is_binary", [False, True])
def test_both_spellings_of_the_handshake_are_taken(
    alpaca: Alpaca, is_binary: bool
) -> None:
    alpaca.faults.trading.binary = is_binary
    listen = {"action": "listen", "data": {"streams": ["trade_updates", "bogus"]}}
    nested = {"key_id": "key", "secret_key": "secret"}
    for auth in (
        {"action": "authenticate", "data": nested},
        {"action": "auth", "key": "key", "secret": "secret"},
    ):
        answers = exchange(alpaca, auth, listen)
        kind = aiohttp.WSMsgType.BINARY if is_binary else aiohttp.WSMsgType.TEXT
        assert [answer.type for answer in answers] == [kind, kind]
        status, streams = (json.loads(answer.data) for answer in answers)
        assert status["stream"] == "authorization"
        assert status["data"] == {"status": "authorized", "action": auth["action"]}
        assert streams["data"] == {"streams": ["trade_updates"]}


def test_a_wrong_key_is_unauthorized_and_may_not_listen(alpaca: Alpaca) -> None:
    listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
    auth = {"action": "auth", "key": "key", "secret": "wrong"}
    for answer in exchange(alpaca, auth, listen):
        assert json.loads(answer.data)["data"]["status"] == "unauthorized"
    assert not alpaca.is_live("main")


def test_a_partial_fill_goes_on_where_it_stopped(alpaca: Alpaca, heard: Heard) -> None:
    with heard_live(alpaca, heard):
        first = alpaca.execute(
            "main", "SPY", "sell", 30, 10, order_id="o", order_qty=100
        )
        last = alpaca.execute("main", "SPY", "sell", 70, 20, order_id="o")
        heard.wait(4)
    assert heard.events == ["pending_new", "new", "partial_fill", "fill"]
    assert first["data"]["order"]["filled_qty"] == "30"
    assert last["data"]["order"]["filled_qty"] == "100"
    assert last["data"]["order"]["filled_avg_price"] == "17"
    assert last["data"]["position_qty"] == "-100"


def test_frames_are_repeated_and_shuffled(alpaca: Alpaca, heard: Heard) -> None:
    alpaca.faults.trading.repeat, alpaca.faults.trading.shuffle = 3, 30
    with heard_live(alpaca, heard):
        numbered(alpaca, 11)
        got = order_ids_after(heard, 33)
    assert sorted(got) == sorted(f"o{n}" for n in range(1, 12) for _ in range(3))
    assert got[:30] != sorted(got[:30], key=lambda name: int(name[1:]))
    # The eleventh came after the window was full.
    assert got[30:] == ["o11"] * 3
    assert len(rest(alpaca).get("/account/activities", {})) == 11


def order_ids_after(heard: Heard, count: int) -> list[str]:
    heard.wait(count)
    return order_ids(heard)


def test_dropped_frames_are_known_to_rest(alpaca: Alpaca, heard: Heard) -> None:
    alpaca.faults.trading.drop = ["o2"]
    with heard_live(alpaca, heard):
        numbered(alpaca, 3)
        alpaca.faults.trading.drop = []
        alpaca.execute("main", "SPY", "buy", 1, 1, announce=False, on_stream=False)
        assert order_ids_after(heard, 2) == ["o1", "o3"]
    rows = rest(alpaca).get("/account/activities", {})
    assert {"o1", "o2", "o3"} < {row["order_id"] for row in rows} and len(rows) == 4


@pytest.mark.parametrize("how", ["clean", "reset"])
def test_the_socket_is_cut_after_the_given_frames(
    alpaca: Alpaca, heard: Heard, how: Any
) -> None:
    with heard_live(alpaca, heard):
        numbered(alpaca, 2)
        alpaca.disconnect("main", how)
        alpaca.execute("main", "SPY", "buy", 1, 1, order_id="lost", announce=False)
        alpaca.wait_for(lambda: not alpaca.is_live("main"))
        alpaca.wait_live("main")
        alpaca.execute("main", "SPY", "buy", 1, 1, order_id="after", announce=False)
        assert order_ids_after(heard, 3) == ["o1", "o2", "after"]


@pytest.mark.parametrize("how", ["clean", "reset"])
def test_a_reset_is_a_reset(alpaca: Alpaca, how: Any) -> None:
    with socket.create_connection(("127.0.0.1", alpaca.port), timeout=5) as client:
        client.sendall(
            b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        client.recv(4096)
        auth = b'{"action":"auth","key":"key","secret":"secret"}'
        client.sendall(bytes([0x81, 0x80 | len(auth), 0, 0, 0, 0]) + auth)
        assert b"authorized" in client.recv(4096)
        alpaca.disconnect("main", how)
        if how == "clean":
            assert client.recv(4096)[:1] == b"\x88"  # a close frame
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(4096)


def test_the_socket_is_cut_every_few_frames(alpaca: Alpaca, heard: Heard) -> None:
    alpaca.faults.trading.disconnect_every = 2
    with heard_live(alpaca, heard):
        numbered(alpaca, 2)
        alpaca.wait_for(lambda: not alpaca.is_live("main"))
        alpaca.wait_live("main")
        assert order_ids_after(heard, 2) == ["o1", "o2"]


def test_the_cut_comes_also_after_a_frame_that_is_dropped(
    alpaca: Alpaca, heard: Heard
) -> None:
    alpaca.faults.trading.drop_every = 2
    alpaca.faults.trading.disconnect_every = 4
    with heard_live(alpaca, heard):
        numbered(alpaca, 4)
        alpaca.wait_for(lambda: not alpaca.is_live("main"))
        alpaca.wait_live("main")
        assert order_ids_after(heard, 2) == ["o1", "o3"]


@pytest.mark.parametrize(
    ("mute", "answered"),
    [("before_auth", 0), ("after_auth", 1), ("after_listening", 2)],
)
def test_the_server_falls_mute(alpaca: Alpaca, mute: Any, answered: int) -> None:
    alpaca.faults.trading.mute = mute

    async def talk() -> int:
        answers = 0
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(alpaca.stream_url) as client,
        ):
            await client.send_json({"action": "auth", "key": "key", "secret": "secret"})
            listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
            await client.send_json(listen)
            await asyncio.to_thread(numbered, alpaca, 3)
            with contextlib.suppress(TimeoutError):
                while True:
                    await client.receive(timeout=0.2)
                    answers += 1
            return answers

    assert asyncio.run(talk()) == answered


def test_an_empty_acknowledgement_is_followed_by_nothing(alpaca: Alpaca) -> None:
    alpaca.faults.trading.mute = "empty_listening"
    auth = {"action": "auth", "key": "key", "secret": "secret"}
    listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
    answer = exchange(alpaca, auth, listen)[1]
    assert json.loads(answer.data)["data"] == {"streams": []}
    assert not alpaca.is_live("main")


def test_a_half_open_socket_answers_no_ping(alpaca: Alpaca, heard: Heard) -> None:
    pings = {"ping_interval": 0.1, "ping_timeout": 0.1, "close_timeout": 0.1}
    with heard_live(alpaca, heard, websocket_params=pings):
        time.sleep(0.4)
        assert len(alpaca.connections("/stream")) == 1 and alpaca.is_live("main")
        alpaca.faults.trading.half_open = True
        numbered(alpaca, 1)
        # The client gives up, and its next handshake is answered no better.
        before = alpaca.connections("/stream")
        alpaca.wait_for(lambda: alpaca.connections("/stream") != before)
        assert not heard.messages
        alpaca.faults.trading.half_open = False
        alpaca.wait_live("main")
        alpaca.wait_for(lambda: len(alpaca.connections("/stream")) == 1)
        alpaca.execute("main", "SPY", "buy", 1, 1, order_id="after", announce=False)
        alpaca.wait_for(lambda: "after" in order_ids(heard))


@pytest.mark.parametrize("status", [401, 404, 429])
def test_the_handshake_is_refused(alpaca: Alpaca, status: int) -> None:
    alpaca.faults.trading.refuse = f"http_{status}"  # type: ignore[assignment]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        exchange(alpaca)
    assert refusal.value.status == status


def test_an_extra_connection_gets_429(alpaca: Alpaca, heard: Heard) -> None:
    alpaca.faults.trading.connection_limit = 1
    with heard_live(alpaca, heard), listening(trading_stream(alpaca, heard)):
        alpaca.wait_for(lambda: len(alpaca.connections("/stream")) == 2)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            exchange(alpaca)
    assert refusal.value.status == 429


def test_a_refused_key_and_a_connection_limit_end_when_they_are_switched_off(
    alpaca: Alpaca, heard: Heard
) -> None:
    alpaca.faults.trading.refuse = "connection_limit"
    with listening(trading_stream(alpaca, heard)):
        alpaca.wait_for(lambda: alpaca.connections("/stream"))
        alpaca.wait_for(lambda: not alpaca.connections("/stream"))
        alpaca.faults.trading.refuse = "key"
        alpaca.wait_for(lambda: alpaca.connections("/stream"))
        alpaca.wait_for(lambda: not alpaca.connections("/stream"))
        alpaca.faults.trading.refuse = "none"
        alpaca.wait_live("main")


def test_a_closed_port_refuses_and_opens_again(alpaca: Alpaca, heard: Heard) -> None:
    with heard_live(alpaca, heard):
        port = alpaca.port
        alpaca.close_port()
        with pytest.raises(aiohttp.ClientConnectorError):
            exchange(alpaca)
        alpaca.open_port()
        assert alpaca.port == port
        alpaca.wait_live("main")


def test_faults_may_concern_one_account(alpaca: Alpaca, heard: Heard) -> None:
    alpaca.faults.trading.accounts, alpaca.faults.trading.repeat = ["other"], 2
    others = Heard(alpaca)
    other = trading_stream(alpaca, others, api_key="k2", secret_key="s2")
    with heard_live(alpaca, heard), listening(other):
        alpaca.wait_live("other")
        for name in ("main", "other"):
            alpaca.execute(name, "SPY", "buy", 1, 1, announce=False)
        others.wait(2)
        heard.wait(1)
    assert (len(heard.messages), len(others.messages)) == (1, 2)


def test_frames_of_any_kind_are_sent_as_they_are(alpaca: Alpaca, heard: Heard) -> None:
    odd = [
        frame("an_event_to_come"),
        frame(of=order(status="brand_new_status")),
        frame(execution_id=""),
        frame(note="extra"),
        {"stream": "trade_updates", "data": None},
    ]
    with heard_live(alpaca, heard):
        for message in odd:
            alpaca.push("main", message)
        alpaca.push_raw("main", "this is not JSON")
        alpaca.push_raw("main", "[1, 2]")
        alpaca.push_raw("main", json.dumps(odd[0]).encode())
        assert heard.wait(6) == [*odd, odd[0]]


def test_packed_frames_reach_an_account(alpaca: Alpaca, heard: Heard) -> None:
    with heard_live(alpaca, heard):
        assert alpaca.push_packed("main", [json.dumps(frame())] * 3000) == 3000
        heard.wait(3000)
