"""Starting wrong, starting twice, and stopping in the middle of things."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from standin import Alpaca, running
from tests.support.gateway import Gateway
from tests.support.ingester import (
    Ingester,
    Zygote,
    eventually,
    ingesting,
    settings_toml,
)
from tests.support.paths import ROOT
from tests.support.postgres import Database

MAIN = {"main": ("PKMAIN0001", "a-secret-of-main")}
FILLS = "select count(*) from raw.fills"


def test_a_second_daemon_refuses(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running(accounts=MAIN) as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN) as first:
            eventually(lambda: first.get("/readyz")[0], 200)
            with ingesting(
                zygote, database, alpaca, elsewhere, accounts=MAIN, live=False
            ) as second:
                assert second.wait() == 1
                said = words(second)
                assert len(said) == 1 and said[0].startswith("excursion: ")
                assert "account main is already being recorded" in said[0]
                assert "stop it first" in said[0]
                # It never listened, nor asked for anything.
                assert not second.logs("started")
            assert len(alpaca.connections("/stream")) == 1
            assert first.status()["streams"][0]["restarts"] == 0
            alpaca.execute("main", "SPY", "buy", 10, "431.25")
            eventually(lambda: database.query(FILLS), [(1,)])

            # The same folder: refused by the spool, before there is a database.
            with ingesting(
                zygote, database, alpaca, tmp_path, accounts=MAIN, live=False
            ) as third:
                assert third.wait() == 1
                said = words(third)
                assert len(said) == 1 and "in use by process" in said[0]
            assert first.stop() == 0


def test_a_second_daemon_for_another_account_runs(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    other = {"other": ("PKOTHER001", "a-secret-of-other")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running(accounts={**MAIN, **other}) as alpaca:
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN) as first:
            with ingesting(
                zygote, database, alpaca, elsewhere, accounts=other
            ) as second:
                alpaca.execute("main", "SPY", "buy", 10, "431.25")
                alpaca.execute("other", "SPY", "buy", 10, "431.25")
                eventually(lambda: database.query(FILLS), [(2,)])
                assert second.stop() == 0
            assert first.stop() == 0


def words(daemon: Ingester) -> list[str]:
    """What it said that is no log line."""
    return [line for line in daemon.text.splitlines() if not line.startswith("{")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_a_burst_the_next_start_recovers(
    number: signal.Signals, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """What the client had buffered is dropped with it, and found by REST."""
    executed: list[str] = []
    is_over = threading.Event()

    def burst(alpaca: Alpaca) -> None:
        while not is_over.is_set():
            frame = alpaca.execute("main", "SPY", "buy", 1, "100.25")
            executed.append(frame["data"]["execution_id"])

    with running(accounts=MAIN) as alpaca:
        thread = threading.Thread(target=burst, args=(alpaca,), daemon=True)
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN) as daemon:
            thread.start()
            eventually(lambda: database.query(FILLS) > [(50,)])
            os.kill(daemon.pid, number)
            assert daemon.wait() == 0
            # All that was received is written, or at least on disk.
            [last] = daemon.logs("stopped")
            assert last["is_durable"] and last["is_written"]
        is_over.set()
        thread.join()
        eventually(lambda: database.query(FILLS) < [(len(executed),)])
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN) as daemon:
            eventually(lambda: database.query(FILLS), [(len(executed),)])
            assert daemon.stop() == 0
    stored = database.query("select execution_id::text from raw.fills")
    assert sorted(row[0] for row in stored) == sorted(executed)


def test_everything_hangs_at_once_and_it_still_ends(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN,
            market_data={"watch": ["SPY", "BTC/USD"]},
            ingest={"request_timeout_seconds": 60, "ping_seconds": 30},
        ) as daemon:  # fmt: skip
            alpaca.wait_live("iex", "crypto")
            eventually(lambda: daemon.get("/readyz")[0], 200)
            gateway.hang()
            alpaca.execute("main", "SPY", "buy", 10, "431.25", on_rest=False)
            alpaca.flush()
            eventually(lambda: daemon.status()["spool"]["depth_bytes"])
            alpaca.faults.rest.fail(how="never", times=None)
            alpaca.faults.trading.half_open = True
            alpaca.faults.data.half_open = True
            time.sleep(1.2)  # a catch-up begins and gets no answer
            assert daemon.stop() == 0
        assert database.query(FILLS) == [(0,)]
        alpaca.faults.reset()
        gateway.up()
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN
        ) as daemon:
            eventually(lambda: database.query(FILLS), [(1,)])
            assert daemon.stop() == 0


def test_told_to_stop_while_it_starts(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with Gateway(database) as gateway, running(accounts=MAIN) as alpaca:
        gateway.hang()
        with ingesting(
            zygote, gateway.database, alpaca, tmp_path, accounts=MAIN, live=False
        ) as daemon:
            # Nobody can tell yet whether another one records.
            eventually(lambda: daemon.log.exists())
            time.sleep(0.5)
            assert daemon.stop() in (0, -signal.SIGTERM)


def account(**changes: str) -> str:
    said = {"key_id": "PKMAIN0001", "secret_key": "a-secret-of-main", **changes}
    return "[accounts.main]\n" + "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in said.items() if value
    )


WRONG = {
    "no_account": ("", "no account to record"),
    "no_secret": (account(secret_key=""), "accounts.main.secret_key is missing"),
    "no_toml": (account() + '\nsecret_key = "a-secret', "is not TOML"),
    "unknown_section": (account() + "\n[spool]\nlimit = 1", "no setting spool"),
    "unknown_setting": (
        account() + "\n[ingest]\ncatchup = 30",
        "there is no setting ingest.catchup",
    ),
    "out_of_range": (account() + "\n[ingest]\ncommit_ms = 500", "ingest.commit_ms"),
    "url_without_scheme": (
        account(stream_url="paper-api.alpaca.markets"),
        "accounts.main.stream_url",
    ),
    "url_unencrypted": (
        account(trading_url="http://example.com"),
        "would send the keys unencrypted",
    ),
    "secret_as_setting": (account(a_secret="a-secret-of-main"), "no setting"),
    "size": (account() + '\n[ingest]\nspool_limit = "much"', "ingest.spool_limit"),
    "spool_too_small": (
        account() + '\n[ingest]\nspool_limit = "1KiB"',
        "ingest.spool_limit",
    ),
    "data_account": (
        account() + '\n[market_data]\naccount = "none"',
        "there is no account 'none'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_one_line(
    case: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    text, wanted = WRONG[case]
    check_refused(text, wanted, zygote, database, tmp_path)


def test_a_port_that_is_taken_is_one_line(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        text = settings_toml(alpaca, MAIN, ingest={"http_port": alpaca.port})
        check_refused(text, str(alpaca.port), zygote, database, tmp_path)


def check_refused(
    text: str, wanted: str, zygote: Zygote, database: Database, folder: Path
) -> None:
    config = folder / "excursion.toml"
    config.write_text(text)
    variables = database.environment(
        EXCURSION_CONFIG=str(config),
        EXCURSION_STATE_DIR=str(folder / "state"),
        PWD=str(ROOT),
    )
    log = folder / "log.jsonl"
    pid = zygote.start(["ingest"], variables, log)
    daemon = Ingester(zygote, pid, log, variables)
    assert daemon.wait() == 2
    [line] = words(daemon)
    assert line.startswith("excursion: ") and wanted in line
    assert "a-secret" not in daemon.text and "Traceback" not in daemon.text
