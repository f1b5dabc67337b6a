"""Whatever a trading stream does, executions arrive, and the failure is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from standin import Alpaca, running
from tests.support.ingester import Ingester, Zygote, eventually, ingesting
from tests.support.postgres import Database

MAIN = {"main": ("PKMAIN0001", "a-secret-of-main")}
BOTH = {**MAIN, "other": ("PKOTHER001", "a-secret-of-other")}
QUICK = "tests.support.quick_plan:install"


def stored(database: Database, account: str = "main") -> list[tuple[str, str]]:
    """Executions in the database, each as (order, total), and duplicates with it."""
    return database.query(
        "select order_id, cum_qty::text from raw.fills where account_name = %s"
        " order by order_id, cum_qty",
        (account,),
    )


def execute(alpaca: Alpaca, *accounts: str, n: int = 1) -> None:
    for account in accounts or ("main",):
        for _ in range(n):
            alpaca.execute(account, "SPY", "buy", 10, "431.25")


def alarms(daemon: Ingester, kind: str = "stream_down") -> set[str]:
    return {a["subject"] for a in daemon.status()["alarms"] if a["kind"] == kind}


def stream(daemon: Ingester, name: str = "trading:main") -> dict[str, Any]:
    found: dict[str, Any] = next(
        s for s in daemon.status()["streams"] if s["name"] == name
    )
    return found


def until_started(daemon: Ingester) -> None:
    eventually(lambda: daemon.logs("started"))


def muted(mode: str) -> Callable[[Alpaca], None]:
    def fault(alpaca: Alpaca) -> None:
        alpaca.faults.trading.mute = mode  # type: ignore[assignment]

    return fault


def refused(mode: str) -> Callable[[Alpaca], None]:
    def fault(alpaca: Alpaca) -> None:
        alpaca.faults.trading.refuse = mode  # type: ignore[assignment]

    return fault


def half_open(alpaca: Alpaca) -> None:
    alpaca.faults.trading.half_open = True


NEVER_LIVE = {
    "mute_before_auth": muted("before_auth"),
    "mute_after_auth": muted("after_auth"),
    "empty_listening": muted("empty_listening"),
    "half_open": half_open,
    "never_accepts": refused("silence"),
    "unauthorized": refused("key"),
    "http_401": refused("http_401"),
    "http_429": refused("http_429"),
    "connection_limit_406": refused("connection_limit"),
}
#: Where alpaca-py would wait for ever; refused connections it tries again itself.
REPLACED = {"mute_before_auth", "mute_after_auth", "empty_listening", "half_open"}


@pytest.mark.parametrize("fault", NEVER_LIVE)
def test_a_stream_that_never_gets_live(
    fault: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        NEVER_LIVE[fault](alpaca)
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK, live=False,
            ingest={"connect_seconds": 0.8},
        ) as daemon:  # fmt: skip
            until_started(daemon)
            execute(alpaca)
            # REST carries on.
            eventually(lambda: len(stored(database)), 1)
            eventually(lambda: alarms(daemon), {"trading:main"})
            status, body = daemon.get("/readyz")
            assert status == 503 and "trading:main is not live" in body
            if fault in REPLACED:
                eventually(lambda: stream(daemon)["restarts"] >= 2)

            alpaca.faults.reset()
            alpaca.wait_live("main")
            execute(alpaca)
            eventually(lambda: len(stored(database)), 2)
            eventually(lambda: alarms(daemon), set())
            assert daemon.stop() == 0
        assert "PKMAIN0001" not in daemon.text and "a-secret" not in daemon.text


@pytest.mark.parametrize(
    "fault", ["mute_before_auth", "mute_after_auth", "half_open", "never_accepts"]
)
def test_it_ends_in_time_while_a_stream_hangs(
    fault: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        NEVER_LIVE[fault](alpaca)
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, live=False,
            ingest={"connect_seconds": 60},
        ) as daemon:  # fmt: skip
            until_started(daemon)
            execute(alpaca)
            eventually(lambda: len(stored(database)), 1)
            assert daemon.stop() == 0


def test_a_live_connection_that_dies_without_a_sign(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            alpaca.faults.trading.half_open = True
            execute(alpaca, n=3)
            eventually(lambda: len(stored(database)), 3)
            eventually(lambda: alarms(daemon), {"trading:main"})
            alpaca.faults.trading.half_open = False
            eventually(lambda: stream(daemon)["is_live"])
            execute(alpaca)
            eventually(lambda: len(stored(database)), 4)
            assert daemon.stop() == 0


def test_a_stream_that_says_nothing_any_more_is_noticed_by_what_rest_shows(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            eventually(lambda: daemon.status()["accounts"][0]["last_catchup_at"])
            time.sleep(1.2)
            # The connection answers pings, and its executions are lost.
            alpaca.faults.trading.drop = ["new", "pending_new", "fill"]
            execute(alpaca)
            eventually(lambda: len(stored(database)), 1)
            eventually(lambda: stream(daemon)["restarts"], 1)
            assert daemon.logs("missed_by_stream")
            alpaca.faults.reset()
            alpaca.wait_live("main")
            execute(alpaca)
            eventually(lambda: len(stored(database)), 2)
            assert daemon.stop() == 0


def test_a_wrong_key_does_not_disturb_the_other_account(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    wrong = {"main": ("PKMAIN0001", "a-wrong-secret"), "other": BOTH["other"]}
    with running(accounts=BOTH) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=wrong, plan=QUICK, live=False,
            market_data={"account": "other", "watch": ["SPY"]},
        ) as daemon:  # fmt: skip
            alpaca.wait_live("other", "iex")
            execute(alpaca, "main", "other")
            alpaca.market("iex", [{"T": "q", "S": "SPY", "bp": 431.2, "ap": 431.3}])
            eventually(lambda: len(stored(database, "other")), 1)
            eventually(
                lambda: database.query("select price from raw.marks"), [(431.25,)]
            )
            eventually(lambda: alarms(daemon), {"trading:main"})
            eventually(lambda: alarms(daemon, "catchup_stale"), {"main"})
            assert not stored(database)
            [account] = [a for a in daemon.status()["accounts"] if a["name"] == "main"]
            assert "check the account's keys" in str(account)
            assert stream(daemon)["problem"]
            assert daemon.stop() == 0
        assert "a-wrong-secret" not in daemon.text


def test_a_closed_port_and_back(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK
        ) as daemon:
            execute(alpaca)
            eventually(lambda: len(stored(database)), 1)
            alpaca.close_port()
            execute(alpaca, n=5)
            eventually(lambda: alarms(daemon) >= {"trading:main"})
            eventually(lambda: alarms(daemon, "catchup_stale"), {"main"})
            assert daemon.is_running
            alpaca.open_port()
            eventually(lambda: len(stored(database)), 6)
            eventually(lambda: stream(daemon)["is_live"])
            eventually(lambda: alarms(daemon) | alarms(daemon, "catchup_stale"), set())
            execute(alpaca)
            eventually(lambda: len(stored(database)), 7)
            assert daemon.stop() == 0


def test_the_broker_is_away_when_the_daemon_starts_and_stops(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.close_port()
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK, live=False
        ) as daemon:
            until_started(daemon)
            eventually(lambda: alarms(daemon), {"trading:main"})
            assert daemon.stop() == 0
        alpaca.open_port()
