"""The market data streams, heard by alpaca-py's own clients over real sockets."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import msgpack
import pytest

from standin import Alpaca
from tests.support.clients import Heard, data_stream, listening
from tests.support.wire import quote, trade

GREETING = {"T": "success", "msg": "connected"}
AUTH = {"action": "auth", "key": "key", "secret": "secret"}
AUTHENTICATED = {"T": "success", "msg": "authenticated"}


def talk(alpaca: Alpaca, feed: str, *sent: dict[str, Any]) -> list[Any]:
    """What a bare client is answered: the greeting, then an answer to each message."""

    async def run() -> list[Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(alpaca.data_url(feed)) as socket,
        ):
            frames = [await socket.receive_bytes(timeout=5)]
            for message in sent:
                await socket.send_bytes(msgpack.packb(message))
                frames.append(await socket.receive_bytes(timeout=5))
            return [msgpack.unpackb(frame)[0] for frame in frames]

    return asyncio.run(run())


def test_only_what_is_subscribed_is_delivered(alpaca: Alpaca, heard: Heard) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY", "QQQ")
    stream.subscribe_trades(heard.take, "IBM")
    with listening(stream):
        alpaca.wait_live("iex")
        alpaca.market(
            "iex", [quote("SPY"), quote("IBM"), trade("SPY"), trade("IBM"), quote("X")]
        )
        assert [(m["T"], m["S"]) for m in heard.wait(2)] == [("q", "SPY"), ("t", "IBM")]
        alpaca.market("iex", [quote("QQQ")])
        heard.wait(3)
    instant = heard.messages[0]["t"]
    assert isinstance(instant, msgpack.Timestamp)
    assert instant.to_unix_nano() == 1772465400123456789


def test_symbols_are_added_and_taken_away(alpaca: Alpaca, heard: Heard) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY")
    with listening(stream):
        alpaca.wait_live("iex")
        alpaca.wait_for(lambda: stream._running)
        stream.subscribe_quotes(heard.take, "QQQ")
        alpaca.wait_for(lambda: alpaca.subscribed("iex") == {"SPY", "QQQ"})
        stream.unsubscribe_quotes("SPY")
        alpaca.wait_for(lambda: alpaca.subscribed("iex") == {"QQQ"})
        alpaca.market("iex", [quote("SPY"), quote("QQQ")])
        heard.wait(1)
    assert heard.symbols == ["QQQ"]


def test_a_subscription_of_many_fragments_is_put_together(
    alpaca: Alpaca, heard: Heard
) -> None:
    symbols = [f"SYMBOL{number:05d}" for number in range(5000)]
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, *symbols)
    with listening(stream):
        alpaca.wait_live("iex")
        assert alpaca.subscribed("iex") == set(symbols)


def test_the_acknowledgement_lists_the_whole_subscription(alpaca: Alpaca) -> None:
    answers = talk(
        alpaca,
        "iex",
        AUTH,
        {"action": "subscribe", "trades": ["SPY"], "quotes": ["SPY", "QQQ"]},
        {"action": "subscribe", "bars": ["IBM"]},
        {"action": "unsubscribe", "quotes": ["SPY"]},
    )
    assert answers[:2] == [GREETING, AUTHENTICATED]
    assert answers[3]["trades"] == answers[3]["corrections"] == ["SPY"]
    assert answers[3]["quotes"] == ["QQQ", "SPY"] and answers[3]["bars"] == ["IBM"]
    assert answers[4]["T"] == "subscription" and answers[4]["quotes"] == ["QQQ"]


def test_corrections_and_cancels_come_with_the_trades(
    alpaca: Alpaca, heard: Heard
) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_trades(heard.take, "SPY")
    stream.subscribe_quotes(heard.take, "QQQ")
    stream.register_trade_corrections(heard.take)
    stream.register_trade_cancels(heard.take)
    correction = {"T": "c", "oi": 1, "op": 9, "ci": 2, "cp": 8}
    with listening(stream):
        alpaca.wait_live("iex")
        alpaca.market(
            "iex",
            [
                {**correction, "S": "SPY"},
                {"T": "x", "S": "SPY", "i": 3, "p": 9},
                {**correction, "S": "QQQ"},
                trade("SPY"),
            ],
        )
        assert [m["T"] for m in heard.wait(3)] == ["c", "x", "t"]


def test_feeds_of_a_family_and_crypto(alpaca: Alpaca, heard: Heard) -> None:
    option, crypto = "SPY260417C00500000", "BTC/USD"
    options, coins = data_stream(alpaca, "indicative"), data_stream(alpaca, "crypto")
    options.subscribe_quotes(heard.take, option)
    coins.subscribe_trades(heard.take, crypto)
    with listening(options), listening(coins):
        alpaca.wait_live("indicative", "crypto")
        alpaca.market("option", [quote(option)])
        heard.wait(1)
        alpaca.market("crypto", [trade(crypto)])
        alpaca.market("opra", [quote(option)])
        heard.wait(2)
    assert heard.symbols == [option, crypto]


@pytest.mark.parametrize(
    ("feed", "sent", "code"),
    [
        ("iex", [{"action": "subscribe", "quotes": ["SPY"]}], 401),
        ("iex", [AUTH, AUTH], 403),
        ("iex", [{**AUTH, "secret": "wrong"}], 402),
        ("iex", [AUTH, {"action": "dance"}], 400),
        ("iex", [AUTH, ["no", "object"]], 400),
        ("iex", [AUTH, {"action": "subscribe", "quotes": "SPY"}], 400),
        ("indicative", [AUTH, {"action": "subscribe", "quotes": ["*"]}], 413),
        ("indicative", [AUTH, {"action": "subscribe", "bars": ["SPY"]}], 410),
    ],
)
def test_errors(alpaca: Alpaca, feed: str, sent: list[Any], code: int) -> None:
    answer = talk(alpaca, feed, *sent)[-1]
    assert (answer["T"], answer["code"]) == ("error", code)


def test_a_text_frame_is_refused(alpaca: Alpaca) -> None:
    async def run() -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(alpaca.data_url("opra")) as socket,
        ):
            await socket.receive_bytes(timeout=5)
            await socket.send_str("{}")
            return msgpack.unpackb(await socket.receive_bytes(timeout=5))[0]

    assert asyncio.run(run())["code"] == 412


@pytest.mark.parametrize("code", [402, 406, 409])
def test_authentication_is_refused_by_a_fault(alpaca: Alpaca, code: int) -> None:
    alpaca.faults.data.auth_error = code
    assert talk(alpaca, "iex", AUTH)[-1]["code"] == code
    alpaca.faults.data.feeds = ["sip"]
    assert talk(alpaca, "iex", AUTH)[-1] == AUTHENTICATED


@pytest.mark.parametrize("code", [405, 409, 410])
def test_a_subscription_is_refused_by_a_fault(alpaca: Alpaca, code: int) -> None:
    alpaca.faults.data.subscribe_error = code
    answer = talk(alpaca, "iex", AUTH, {"action": "subscribe", "quotes": ["SPY"]})[-1]
    assert answer["code"] == code


def test_the_symbol_limit_refuses_the_whole_subscription(alpaca: Alpaca) -> None:
    alpaca.faults.data.symbol_limit = 2
    within = {"action": "subscribe", "quotes": ["A", "B"]}
    beyond = {"action": "subscribe", "quotes": ["C"]}
    answers = talk(alpaca, "iex", AUTH, within, beyond, within)
    assert [a.get("code") for a in answers[2:]] == [None, 405, None]
    assert answers[-1]["quotes"] == ["A", "B"]


def test_one_connection_for_each_key_and_feed(alpaca: Alpaca, heard: Heard) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY")
    with listening(stream):
        alpaca.wait_live("iex")
        assert talk(alpaca, "iex", AUTH)[-1]["code"] == 406
        assert talk(alpaca, "sip", AUTH)[-1] == AUTHENTICATED
        other = {**AUTH, "key": "k2", "secret": "s2"}
        assert talk(alpaca, "iex", other)[-1] == AUTHENTICATED
        alpaca.faults.data.connection_limit = None
        assert talk(alpaca, "iex", AUTH)[-1] == AUTHENTICATED


def frames(alpaca: Alpaca, *batches: list[Any]) -> list[bytes]:
    """The frames as they are on the wire."""

    async def run() -> list[bytes]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(alpaca.data_url("iex")) as socket,
        ):
            await socket.receive_bytes()
            wanted = {"action": "subscribe", "quotes": ["SPY"]}
            for message in (AUTH, wanted):
                await socket.send_bytes(msgpack.packb(message))
                await socket.receive_bytes()
            for batch in batches:
                await asyncio.to_thread(alpaca.market, "iex", batch)
            found = []
            while True:
                try:
                    found.append(await socket.receive_bytes(timeout=0.2))
                except TimeoutError:
                    return found

    return asyncio.run(run())


def test_messages_share_a_frame_with_poison_in_its_middle(alpaca: Alpaca) -> None:
    poison = {"T": "q", "S": "SPY", "t": "not an instant"}
    whole, nothing = frames(
        alpaca, [quote(bid=1), poison, None, quote(bid=3), quote("QQQ")], [None]
    )
    elements = msgpack.unpackb(whole)
    assert [e and e.get("bp") for e in elements] == [1, None, None, 3]
    assert elements[1]["t"] == "not an instant"
    assert msgpack.unpackb(nothing) == [None]


def test_poison_unknown_types_and_undecodable_frames_by_number(alpaca: Alpaca) -> None:
    faults = alpaca.faults.data
    faults.poison_every, faults.unknown_every, faults.undecodable_every = 2, 3, 4
    sent = frames(alpaca, *([quote(bid=1), quote(bid=2)] for _ in range(4)))
    assert [len(msgpack.unpackb(f)) for f in (*sent[:3], sent[4])] == [2, 3, 3, 3]
    assert msgpack.unpackb(sent[1])[1] is None
    assert msgpack.unpackb(sent[2])[1]["T"] == "zz"
    with pytest.raises(ValueError):  # noqa: PT011 - any way of not decoding will do
        msgpack.unpackb(sent[3])


def test_a_mute_feed_and_a_mute_symbol(alpaca: Alpaca, heard: Heard) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY", "QQQ")
    with listening(stream):
        alpaca.wait_live("iex")
        alpaca.faults.data.mute = True
        alpaca.market("iex", [quote("SPY", bid=1)])
        alpaca.faults.data.mute = False
        alpaca.faults.data.mute_symbols = ["QQQ"]
        alpaca.market("iex", [quote("QQQ"), quote("SPY", bid=2)])
        heard.wait(1)
    assert [m["bp"] for m in heard.messages] == [2]


@pytest.mark.parametrize("mute_from", ["greeting", "auth", "subscription"])
def test_a_handshake_that_stops(alpaca: Alpaca, heard: Heard, mute_from: Any) -> None:
    alpaca.faults.data.mute_from = mute_from
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY")
    with listening(stream):
        alpaca.wait_for(lambda: alpaca.connections("iex"))
        time.sleep(0.1)
        assert not alpaca.is_live("iex")
        is_known = alpaca.connections("iex")[0]["account"] == "main"
        assert is_known == (mute_from == "subscription")


@pytest.mark.parametrize("how", ["clean", "reset"])
def test_a_cut_feed_is_subscribed_again(alpaca: Alpaca, heard: Heard, how: Any) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY")
    with listening(stream):
        alpaca.wait_live("iex")
        alpaca.market("iex", [quote(bid=1)])
        alpaca.disconnect("iex", how)
        alpaca.wait_for(lambda: not alpaca.is_live("iex"))
        alpaca.wait_live("iex")
        alpaca.market("iex", [quote(bid=2)])
        assert [m["bp"] for m in heard.wait(2)] == [1, 2]


def test_a_half_open_feed_sends_and_answers_nothing(alpaca: Alpaca) -> None:
    async def run() -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(alpaca.data_url("iex")) as socket,
        ):
            await socket.receive_bytes(timeout=5)
            alpaca.faults.data.half_open = True
            await socket.send_bytes(msgpack.packb(AUTH))
            await socket.receive_bytes(timeout=0.2)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_packed_frames_are_delivered_fast(alpaca: Alpaca, heard: Heard) -> None:
    stream = data_stream(alpaca)
    stream.subscribe_quotes(heard.take, "SPY")
    element = {**quote(), "t": msgpack.Timestamp(1, 2)}
    frame = msgpack.packb([element] * 50)
    with listening(stream):
        alpaca.wait_live("iex")
        assert alpaca.push_packed("iex", [frame] * 200) == 200
        heard.wait(10_000)
    assert heard.messages[-1] == element
