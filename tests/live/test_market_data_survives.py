"""Whatever a market data stream does, each symbol held is marked, or told as stale."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import pytest

from standin import Alpaca, running
from tests.support.ingester import Ingester, Zygote, eventually, ingesting
from tests.support.postgres import Database

MAIN = {"main": ("PKMAIN0001", "a-secret-of-main")}
QUICK = "tests.support.quick_plan:install"
#: A Friday's morning in New York, so that silence means something.
TRADING = datetime(2026, 11, 20, 15, tzinfo=UTC)
NOON = "2026-11-20T15:00:"
MARKS = (
    "select symbol, price, is_usable from raw.marks join raw.instruments"
    " using (symbol_id) order by ts, price"
)


def quote(symbol: str, bid: float, **more: Any) -> dict[str, Any]:
    return {"T": "q", "S": symbol, "bp": bid, "ap": bid + 0.5, **more}


def prices(database: Database, symbol: str) -> set[float]:
    return {row[1] for row in database.query(MARKS) if row[0] == symbol}


def stream(daemon: Ingester, name: str = "stock_data") -> dict[str, Any]:
    found: dict[str, Any] = next(
        s for s in daemon.status()["streams"] if s["name"] == name
    )
    return found


def snapshots(alpaca: Alpaca) -> list[set[str]]:
    """The symbols of each request for snapshots of stocks."""
    return [
        set(request.query["symbols"].split(","))
        for request in alpaca.requests
        if request.path == "/v2/stocks/snapshots"
    ]


def test_other_marks_of_a_frame_survive_one_that_is_none(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN,
            market_data={"watch": ["SPY"]},
        ) as daemon:  # fmt: skip
            alpaca.wait_live("iex")
            alpaca.faults.data.poison_every = 2
            alpaca.faults.data.unknown_every = 3
            alpaca.faults.data.undecodable_every = 4
            bids = [[100.0 + 10 * frame + i for i in range(4)] for frame in range(12)]
            for frame in bids:
                alpaca.market("iex", [quote("SPY", bid) for bid in frame])
            wanted = {bid + 0.25 for frame in bids for bid in frame}
            eventually(lambda: prices(database, "SPY"), wanted)
            reasons = "select distinct reason_code from raw.quarantine"
            assert database.query(reasons)
            text = str(database.query("select message from raw.quarantine"))
            assert "undecodable frame: c1ffff" in text
            assert '"zz"' in text
            assert stream(daemon)["is_live"] and not stream(daemon)["restarts"]
            assert daemon.stop() == 0


def test_odd_messages_are_kept_for_what_they_are(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    moment = "2026-11-20T15:00:01.123456001Z"
    same_microsecond = "2026-11-20T15:00:01.123456789Z"
    trade = {"T": "t", "S": "SPY", "i": 1, "x": "V", "s": 100, "c": ["@"], "z": "B"}
    bar = {"S": "SPY", "o": 1.0, "h": 2.0, "l": 1.0, "c": 2.0, "v": 10, "n": 1}
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN,
            market_data={"watch": ["SPY"]},
        ) as daemon:  # fmt: skip
            alpaca.wait_live("iex")
            messages = [
                quote("SPY", 100.0, t=moment),
                quote("SPY", 100.0, t=moment),
                quote("SPY", 100.0, t=same_microsecond),
                {"T": "q", "S": "SPY", "bp": 0, "ap": 101.0, "t": f"{NOON}02Z"},
                {"T": "q", "S": "SPY", "bp": 102.0, "ap": 101.0, "t": f"{NOON}03Z"},
                {**trade, "p": 103.0, "t": f"{NOON}04Z"},
                {"T": "c", "S": "SPY", "x": "V", "oi": 1, "op": 103.0, "os": 100,
                 "oc": ["@"], "ci": 2, "cp": 104.0, "cs": 100, "cc": ["@"], "z": "B",
                 "t": f"{NOON}05Z"},
                {"T": "x", "S": "SPY", "i": 1, "x": "V", "p": 103.0, "s": 100, "a": "C",
                 "z": "B", "t": f"{NOON}06Z"},
            ]  # fmt: skip
            alpaca.market("iex", messages)
            bars = [{**bar, "T": "b"}, {**bar, "T": "u", "c": 3.0}]
            stamp = msgpack.Timestamp(1795186800, 0)
            alpaca.push_raw("iex", msgpack.packb([{**b, "t": stamp} for b in bars]))
            eventually(lambda: 103.0 in prices(database, "SPY"))
            alpaca.market("iex", [quote("SPY", 110.0, t=f"{NOON}10Z")])
            eventually(lambda: 110.25 in prices(database, "SPY"))
            rows = database.query(MARKS)
            # One row for one microsecond; what gives no price is kept, not used.
            assert [row[1] for row in rows if row[2]] == [100.25, 103.0, 110.25]
            assert len([row for row in rows if not row[2]]) == 2
            # Corrections, cancellations and bars are told apart by their own words.
            kinds = "select message::jsonb #>> '{msg,T}' from raw.quarantine order by 1"
            assert database.query(kinds) == [("b",), ("c",), ("u",), ("x",)]
            assert stream(daemon)["is_live"]
            assert daemon.stop() == 0


def test_symbols_follow_orders_and_positions(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN) as daemon:
            assert not alpaca.connections("iex")
            alpaca.execute("main", "SPY", "buy", 10, "431.25", order_qty=20)
            eventually(lambda: alpaca.subscribed("iex"), {"SPY"})
            alpaca.execute("main", "AAPL", "buy", 10, "190")
            alpaca.execute("main", "SPY261218C00440000", "buy", 1, "4.2")
            alpaca.execute("main", "BTC/USD", "buy", "0.5", "90000")
            eventually(lambda: alpaca.subscribed("iex"), {"SPY", "AAPL"})
            option = {"SPY261218C00440000"}
            eventually(lambda: alpaca.subscribed("indicative"), option)
            eventually(lambda: alpaca.subscribed("crypto"), {"BTC/USD"})

            alpaca.execute("main", "AAPL", "sell", 10, "191")
            alpaca.execute("main", "SPY261218C00440000", "sell", 1, "4.4")
            eventually(lambda: alpaca.subscribed("iex"), {"SPY"})
            eventually(lambda: alpaca.connections("indicative"), [])
            # Nothing is wrong with a stream that is not needed.
            assert not stream(daemon, "option_data")["is_wanted"]
            eventually(lambda: daemon.get("/readyz")[0], 200)
            assert daemon.stop() == 0


def test_what_a_stream_cannot_carry_is_polled(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    symbols = ["AAPL", "MSFT", "QQQ", "SPY"]
    with running(accounts=MAIN) as alpaca:
        alpaca.set_clock(TRADING)
        for symbol in symbols:
            alpaca.execute("main", symbol, "buy", 1, "100")
            alpaca.market("iex", [quote(symbol, 100.0)])
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN,
            market_data={"max_stock_symbols": 2, "snapshot_seconds": 1},
        ) as daemon:  # fmt: skip
            eventually(lambda: len(alpaca.subscribed("iex")), 2)
            streamed = alpaca.subscribed("iex")
            polled = set(symbols) - streamed
            alpaca.market("iex", [quote(symbol, 101.0) for symbol in symbols])
            for symbol in symbols:
                eventually(lambda s=symbol: 101.25 in prices(database, s))
            alpaca.market("iex", [quote(symbol, 102.0) for symbol in symbols])
            for symbol in symbols:
                eventually(lambda s=symbol: 102.25 in prices(database, s))
            assert polled <= snapshots(alpaca)[-1]
            # The streamed ones are not asked for once they were heard of.
            eventually(lambda: snapshots(alpaca)[-1], polled)
            assert not daemon.logs("stream_error")

            # One closes: the stream has room for another.
            gone = sorted(streamed)[0]
            alpaca.execute("main", gone, "sell", 1, "100")
            eventually(lambda: len(alpaca.subscribed("iex") & polled), 1)
            assert gone not in alpaca.subscribed("iex")
            assert daemon.stop() == 0


def test_the_broker_allows_fewer_symbols_than_the_settings(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    symbols = ["AAPL", "MSFT", "QQQ", "SPY", "TSLA"]
    with running(accounts=MAIN) as alpaca:
        alpaca.faults.data.symbol_limit = 3
        for symbol in symbols:
            alpaca.market("iex", [quote(symbol, 100.0)])
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            market_data={"watch": symbols, "snapshot_seconds": 1},
        ) as daemon:  # fmt: skip
            eventually(lambda: len(alpaca.subscribed("iex")) >= 2)
            assert daemon.logs("symbol_limit_lowered")
            alpaca.market("iex", [quote(symbol, 101.0) for symbol in symbols])
            for symbol in symbols:
                eventually(lambda s=symbol: 101.25 in prices(database, s))
            eventually(lambda: stream(daemon)["is_live"])
            assert daemon.stop() == 0


REFUSALS = {
    "auth_402": {"auth_error": 402},
    "connection_limit_406": {"auth_error": 406},
    "insufficient_subscription_409": {"auth_error": 409},
    "subscription_409": {"subscribe_error": 409},
    "empty_subscription": {"mute_from": "subscription"},
    "mute_greeting": {"mute_from": "greeting"},
    "mute_auth": {"mute_from": "auth"},
    "http_429": {"refuse": "http_429"},
    "half_open": {"half_open": True},
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_stream_that_is_refused_or_mute(
    fault: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.faults.change({"data": REFUSALS[fault]})
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            ingest={"connect_seconds": 0.8},
            market_data={"watch": ["SPY"], "snapshot_seconds": 1},
        ) as daemon:  # fmt: skip
            alpaca.market("iex", [quote("SPY", 100.0)])
            # Executions and snapshots go on, and somebody is told.
            alpaca.execute("main", "SPY", "buy", 10, "431.25")
            eventually(lambda: database.query("select count(*) from raw.fills"), [(1,)])
            eventually(lambda: prices(database, "SPY"), {100.25})
            eventually(lambda: daemon.logs("alarm"))
            [alarm] = daemon.status()["alarms"]
            assert (alarm["kind"], alarm["subject"]) == ("stream_down", "stock_data")
            assert alarm["message"] != "not live: None"

            alpaca.faults.reset()
            alpaca.wait_live("iex")
            alpaca.market("iex", [quote("SPY", 101.0)])
            eventually(lambda: prices(database, "SPY"), {100.25, 101.25})
            eventually(lambda: daemon.status()["alarms"], [])
            assert daemon.stop() == 0


def snapshots_asked(alpaca: Alpaca) -> int:
    return sum(request.path == "/v2/stocks/snapshots" for request in alpaca.requests)


def test_a_feed_that_falls_silent_is_replaced_and_polled(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            market_data={"watch": ["SPY"], "snapshot_seconds": 1, "silent_seconds": 1},
        ) as daemon:  # fmt: skip
            alpaca.wait_live("iex")
            alpaca.market("iex", [quote("SPY", 100.0)])
            eventually(lambda: prices(database, "SPY"), {100.25})
            # Silence alone is no fault: of a thin symbol nothing may come for long.
            eventually(lambda: snapshots_asked(alpaca) >= 3)
            assert stream(daemon)["restarts"] == 0

            alpaca.faults.data.mute = True

            def quoted_unheard() -> int:
                alpaca.market("iex", [quote("SPY", 101.0)])
                return int(stream(daemon)["restarts"])

            eventually(quoted_unheard)
            # On its way through the spool when the feed was found silent.
            eventually(lambda: 101.25 in prices(database, "SPY"))
            assert "while REST has newer" in str(daemon.logs("stream_restarted"))
            alpaca.faults.reset()
            alpaca.wait_live("iex")
            assert daemon.stop() == 0


def test_one_silent_symbol_of_many_is_polled(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.set_clock(TRADING)
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            market_data={
                "watch": ["F", "SPY"], "snapshot_seconds": 1, "silent_seconds": 2,
            },
        ) as daemon:  # fmt: skip
            alpaca.wait_live("iex")
            alpaca.faults.data.mute_symbols = ["F"]
            deadline = time.monotonic() + 10
            bid = 100.0
            while 200.25 not in prices(database, "F"):
                assert time.monotonic() < deadline
                bid += 1
                alpaca.market("iex", [quote("F", 200.0), quote("SPY", bid)])
                time.sleep(0.1)
            assert not stream(daemon)["restarts"]
            assert daemon.stop() == 0


def test_it_ends_in_time_while_the_stream_is_mute(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.faults.data.half_open = True
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN,
            ingest={"connect_seconds": 60}, market_data={"watch": ["SPY"]},
        ) as daemon:  # fmt: skip
            eventually(lambda: alpaca.connections("iex"))
            assert daemon.stop() == 0
