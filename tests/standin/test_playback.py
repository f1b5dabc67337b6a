"""Recordings that are played, and the stand-in's own endpoints."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from ingest.errors import ExcursionError, UsageError
from standin import Alpaca, running
from tests.support.clients import Heard, data_stream, listening, rest, trading_stream
from tests.support.wire import (
    activity,
    execution,
    fill_activity,
    frame,
    line,
    order,
    quote,
    trade,
)

OPTION = "SPY260417C00500000"


def at(second: float) -> str:
    return f"2026-03-02T15:30:{second:06.3f}Z"


LINES = [
    line("stock_data", quote("SPY", bid=1), at=at(0)),
    line("stock_data", quote("QQQ", bid=2), at=at(0)),
    line("dispatch", execution(), at=at(0)),
    line("trade_updates", frame(), at=at(1)),
    line("stock_data", trade("SPY"), at=at(2)),
    "this is no JSON",
    line("option_data", quote(OPTION), at=at(2)),
    line("trade_updates", frame(of=order("o2")), at=at(3), account="second"),
    line("activities", activity("FEE", date="2026-03-02"), at=at(4)),
    line("orders", order("o3", status="new", filled_qty="0"), at=at(4)),
    line("positions", {"symbol": "X", "qty": "3", "avg_entry_price": "2"}, at=at(4)),
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(LINES).encode()))
    return path


def listen(alpaca: Alpaca, account: str) -> tuple[Any, Heard]:
    heard = Heard(alpaca)
    return trading_stream(alpaca, heard, api_key=account), heard


def subscribe(alpaca: Alpaca, feed: str, *symbols: str) -> tuple[Any, Heard]:
    heard = Heard(alpaca)
    stream = data_stream(alpaca, feed, key="main")
    stream.subscribe_quotes(heard.take, *symbols)
    stream.subscribe_trades(heard.take, *symbols)
    return stream, heard


def test_it_waits_for_everybody_and_plays_all(recording: Path) -> None:
    with running(recording, speed=0, wait=True) as alpaca:
        main, of_main = listen(alpaca, "main")
        second, of_second = listen(alpaca, "second")
        stocks, of_stocks = subscribe(alpaca, "iex", "SPY", "QQQ")
        options, of_options = subscribe(alpaca, "indicative", OPTION)
        with listening(main), listening(second), listening(stocks):
            alpaca.wait_live("main", "second", "iex")
            time.sleep(0.1)
            assert alpaca.playback is not None and alpaca.playback.played == 0
            with listening(options):
                alpaca.wait_played()
                of_main.wait(1)
                of_second.wait(1)
                of_stocks.wait(3)
                of_options.wait(1)
        assert of_main.messages == [frame()]
        assert of_second.messages == [frame(of=order("o2"))]
        assert [(m["T"], m["S"]) for m in of_stocks.messages] == [
            ("q", "SPY"),
            ("q", "QQQ"),
            ("t", "SPY"),
        ]
        assert of_options.symbols == [OPTION]
        client = rest(alpaca, "main", "any")
        types = [row["activity_type"] for row in client.get("/account/activities")]
        assert sorted(types) == ["FEE", "FILL"]
        assert [row["id"] for row in client.get("/orders")] == ["o3"]
        assert [row["symbol"] for row in client.get("/positions")] == ["SPY", "X"]
        # It stays, and its clock goes on from where the recording ended.
        told = datetime.fromisoformat(client.get("/clock")["timestamp"])
        since = (told - datetime(2026, 3, 2, 15, 30, 4, tzinfo=UTC)).total_seconds()
        assert 0 < since < 5
        time.sleep(0.02)
        assert client.get("/clock")["timestamp"] != told.isoformat()
        state = requests.get(f"{alpaca.url}/standin/state", timeout=5).json()
        assert state["playback"] == {
            "speed": 0.0,
            "lines": 9,
            "left_out": 2,
            "played": 9,
            "is_started": True,
            "is_done": True,
        }


def test_start_ends_the_waiting(recording: Path) -> None:
    with running(recording, speed=0, wait=True) as alpaca:
        requests.post(f"{alpaca.url}/standin/start", timeout=5)
        alpaca.wait_played()


def test_times_pass_as_recorded(recording: Path) -> None:
    with running(recording, speed=4, wait=True) as alpaca:
        client = rest(alpaca, "main", "any")

        def told() -> float:
            now = datetime.fromisoformat(client.get("/clock")["timestamp"])
            return (now - datetime.fromisoformat(at(0))).total_seconds()

        begun = time.monotonic()
        requests.post(f"{alpaca.url}/standin/start", timeout=5)
        alpaca.wait_for(lambda: told() <= 4)
        heard = [0.0]
        while heard[-1] < 4:
            assert client.get("/orders") == [] or told() >= 4
            heard.append(told())
            # A busy machine is late, never early.
            assert heard[-2] <= heard[-1] <= 4 * (time.monotonic() - begun)
        assert len(heard) > 3
        alpaca.wait_played()
        assert [order["id"] for order in client.get("/orders")] == ["o3"]


def test_long_gaps_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "gap.jsonl"
    path.write_text(
        line("stock_data", quote(), at="2026-03-02T20:00:00Z")
        + "\n"
        + line("stock_data", quote(), at="2026-03-03T14:30:00Z")
    )
    with running(path, speed=1, max_gap=60) as alpaca:
        alpaca.wait_played(5)
        client = rest(alpaca, "main", "any")
        assert client.get("/clock")["timestamp"].startswith("2026-03-03T09:30:0")


def test_several_recordings_are_played_by_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text(
        "\n".join(line("trade_updates", frame(), at=at(s)) for s in (1, 3))
    )
    message = frame(of=order("o2"))
    second.write_text(line("trade_updates", message, at=at(2)))
    with running([first, second], speed=0, wait=True) as alpaca:
        stream, heard = listen(alpaca, "main")
        with listening(stream):
            heard.wait(3)
    assert heard.messages == [frame(), message, frame()]


def test_a_recorded_fill_row_is_not_a_second_fill(tmp_path: Path) -> None:
    path = tmp_path / "both.jsonl"
    path.write_text(
        line("trade_updates", frame(), at=at(1))
        + "\n"
        + line("activities", fill_activity(), at=at(2))
    )
    with running(path, speed=0) as alpaca:
        alpaca.wait_played()
        client = rest(alpaca, "main", "any")
        assert client.get("/account/activities") == [fill_activity()]
        assert client.get("/positions/SPY")["qty"] == "10"


def test_faults_are_switched_over_http(alpaca: Alpaca) -> None:
    url = f"{alpaca.url}/standin/faults"
    change = {
        "trading": {"repeat": 2, "mute": "after_auth"},
        "rest": {"answers": [{"status": 503, "path": "/v2/orders"}]},
        "clock_skew": 60,
    }
    assert requests.post(url, json=change, timeout=5).status_code == 200
    assert alpaca.faults.trading.repeat == 2
    assert alpaca.faults.trading.mute == "after_auth"
    assert alpaca.faults.rest.answers[0].status == 503
    told = requests.get(url, timeout=5).json()
    assert told["trading"]["repeat"] == 2 and told["clock_skew"] == 60
    for wrong in ({"trading": {"repeat": 0}}, {"trading": {"bogus": 1}}, {"bogus": 1}):
        answer = requests.post(url, json=wrong, timeout=5)
        assert answer.status_code == 422 and answer.json()["message"]
    assert requests.post(url, data="no JSON", timeout=5).status_code == 400
    requests.post(url, json={"reset": True}, timeout=5)
    assert alpaca.faults.trading.repeat == 1 and not alpaca.faults.rest.answers


def test_connections_are_cut_and_the_port_closed_over_http(
    alpaca: Alpaca, heard: Heard
) -> None:
    with listening(trading_stream(alpaca, heard)):
        alpaca.wait_live("main")
        requests.post(
            f"{alpaca.url}/standin/disconnect",
            json={"target": "main", "how": "reset"},
            timeout=5,
        )
        alpaca.wait_for(lambda: not alpaca.is_live("main"))
        alpaca.wait_live("main")
        closed = {"closed_seconds": 0.3}
        requests.post(f"{alpaca.url}/standin/port", json=closed, timeout=5)
        alpaca.wait_for(lambda: not alpaca.is_live("main"))
        with pytest.raises(requests.ConnectionError):
            requests.get(alpaca.url, timeout=5)
        alpaca.wait_live("main")


def test_what_cannot_be_played_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UsageError), running(tmp_path / "missing.jsonl"):
        pass
    with running() as alpaca, pytest.raises(ExcursionError, match="another port"):
        with running(port=alpaca.port):
            pass


def test_thousands_of_messages_a_second(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    element = quote("SPY")
    rows = [
        line(
            "stock_data",
            element,
            at=f"2026-03-02T15:30:{n // 1000:02d}.{n % 1000:03d}Z",
        )
        for n in range(20_000)
    ]
    path.write_text("\n".join(rows))
    with running(path, speed=0, wait=True) as alpaca:
        stream, heard = subscribe(alpaca, "iex", "SPY")
        with listening(stream):
            heard.wait(20_000, timeout=20)
    assert json.loads(rows[0])["msg"] == element
