"""Recorded sessions, played through the stand-in at 200 times real time."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from standin import running
from tests.support.ingester import Zygote, eventually, ingesting
from tests.support.postgres import Database, Server, replay

SPEED = 200
# Nobody waits for a market that is closed for the night.
LONGEST_PAUSE_SECONDS = 600
SESSIONS = ("equities_2013_10_07", "options_2014_06_05")

FILLS = """
    select
        event_id, kind, account_name, order_id, execution_id, supersedes,
        superseded_by, symbol, side, qty, price, cum_qty, executed_at
    from raw.fills order by event_id
"""
MARKS = """
    select instruments.symbol, ts, price, bid, ask, is_usable
    from raw.marks inner join raw.instruments using (symbol_id)
    order by symbol, ts, price
"""


@pytest.mark.long
@pytest.mark.shared
def test_a_session_heard_live_is_the_session_replayed(
    zygote: Zygote, server: Server, shared: Path, tmp_path: Path
) -> None:
    """Both at once: they take minutes in which hardly anything happens."""
    failures: list[BaseException] = []

    def hear(name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        recording = shared / "sessions" / f"{name}.jsonl.gz"
        try:
            with server.created() as heard, server.created() as replayed:
                _hear(zygote, heard, replayed, recording, folder)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hear, args=(name,)) for name in SESSIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _hear(
    zygote: Zygote, live: Database, replayed: Database, recording: Path, folder: Path
) -> None:
    with gzip.open(recording) as file:
        lines = [json.loads(line) for line in file]
    accounts = {line["account"] for line in lines if "account" in line}
    watch = {line["msg"]["S"] for line in lines if line["from"].endswith("_data")}
    replay(replayed, [recording], folder)
    with running(
        recording, speed=SPEED, wait=True, max_gap=LONGEST_PAUSE_SECONDS
    ) as alpaca:
        with ingesting(
            zygote,
            live,
            alpaca,
            folder,
            accounts={name: (name, "any") for name in accounts},
            market_data={"watch": sorted(watch)},
        ) as daemon:
            alpaca.wait_played(600)
            eventually(lambda: _marks(live), _marks(replayed))
            assert daemon.stop() == 0
            assert [line for line in daemon.logs() if line["level"] == "error"] == []
        assert not alpaca.forbidden_requests

    assert live.query(FILLS) == replayed.query(FILLS)
    assert live.query(MARKS) == replayed.query(MARKS)
    assert live.query("select reason_code, reason from raw.quarantine") == []
    # The broker's positions are those that its fills make: nothing to open or explain.
    assert live.query("select * from raw.openings") == []


def _marks(database: Database) -> Any:
    return database.query("select count(*) from raw.marks")[0][0]
