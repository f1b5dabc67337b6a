"""Executions survive what the stream and REST do to them (faults S1-S4, S13, S19)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from tests.support.ingester import Zygote, eventually, ingesting
from tests.support.live import (
    after_rounds,
    asked,
    count,
    executions,
    held,
    metric,
    observed,
    quarantined,
    soon,
)
from tests.support.postgres import Database


def test_s1_every_frame_three_times_shuffled_and_replayed_after_the_close(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with observed() as alpaca, ingesting(zygote, database, alpaca, tmp_path):
        alpaca.faults.trading.repeat = 3
        alpaca.faults.trading.shuffle = 40
        frames = []
        for number in range(6):
            order = f"order-{number}"
            for part in range(1, 5):
                frames.append(
                    alpaca.execute(
                        "main", "SPY", "buy", part, "431.25", order_id=order,
                        order_qty=10, final=part == 4,
                    )
                )  # fmt: skip
        # The terminal events came long ago, and here they are again.
        order = frames[-1]["data"]["order"]
        new = {"event": "new", "order": order, "timestamp": order["updated_at"]}
        for _ in range(2):
            alpaca.push("main", {"stream": "trade_updates", "data": new})
            alpaca.push("main", frames[-1])
        eventually(lambda: count(database), 24)
        after_rounds(alpaca, 2)

    expected = [("1", "1"), ("2", "3"), ("3", "6"), ("4", "10")] * 6
    assert [(row[2], row[4]) for row in executions(database)] == expected
    ids = {f"exec:{frame['data']['execution_id']}" for frame in frames}
    assert {id_ for (id_,) in database.query("select event_id from raw.fills")} == ids
    assert held(database) == {"SPY": "60"}
    assert quarantined(database) == []


@pytest.mark.parametrize("filled_at", ["2026-03-02T14:49:30.176Z", None])
def test_s2_partials_of_one_instant_are_all_kept(
    zygote: Zygote, database: Database, tmp_path: Path, filled_at: str | None
) -> None:
    instant = datetime(2026, 3, 2, 14, 49, 30, 176000, UTC)
    with observed() as alpaca:
        alpaca.set_clock(instant + timedelta(seconds=1))
        with ingesting(zygote, database, alpaca, tmp_path):
            for qty in (769, 100, 101, 30):
                frame = alpaca.execute(
                    "main", "QQQJ", "buy", qty, "31.6", order_id="one",
                    order_qty=1000, at=instant, on_stream=False,
                )  # fmt: skip
                frame["data"]["order"]["filled_at"] = filled_at
                alpaca.push("main", frame)
            eventually(lambda: count(database), 4)
            after_rounds(alpaca, 2)

    totals = [("769", "769"), ("100", "869"), ("101", "970"), ("30", "1000")]
    assert [row[2::2] for row in executions(database)] == totals
    assert database.query(
        "select sum(f.qty) = max(o.filled_qty), count(distinct f.executed_at)"
        " from raw.fills as f join raw.orders as o using (account_name, order_id)"
    ) == [(True, 1)]
    assert quarantined(database) == []


@pytest.mark.parametrize("how", ["clean", "reset"])
def test_s3_what_fills_while_the_socket_is_down_comes_from_rest(
    zygote: Zygote, database: Database, tmp_path: Path, how: Literal["clean", "reset"]
) -> None:
    # No timer helps here: it is the acknowledged subscription that asks REST.
    slow = {"catchup_seconds": 60}
    part = {"order_id": "one", "order_qty": 100}
    with (
        observed() as alpaca,
        ingesting(zygote, database, alpaca, tmp_path, ingest=slow) as daemon,
    ):
        for _ in range(2):
            alpaca.execute("main", "SPY", "buy", 10, "431.25", **part)
            alpaca.disconnect("main", how)
            alpaca.wait_for(lambda: not alpaca.is_live("main"))
            alpaca.execute("main", "SPY", "buy", 20, "431.5", **part)
            alpaca.execute("main", "QQQ", "sell", 5, "380", order_id=str(uuid.uuid4()))
            alpaca.wait_live("main")
        alpaca.execute("main", "SPY", "buy", 40, "432", **part)
        eventually(lambda: count(database), 7, timeout=5)
        eventually(lambda: metric(daemon, "spool_depth_bytes"), 0)

    assert [row[4] for row in executions(database) if row[0] == "SPY"] == [
        "10", "30", "40", "60", "100",
    ]  # fmt: skip
    assert held(database) == {"SPY": "100", "QQQ": "-10"}
    # What nobody heard is REST's; of what was heard, REST may have been the first.
    missed = database.query(
        "select distinct source from raw.fills"
        " where symbol = 'QQQ' or cum_qty in (30, 60)"
    )
    assert missed == [("activities",)]
    assert quarantined(database) == []


def test_s4_frames_lost_on_a_healthy_stream_are_found_by_the_timer(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with (
        observed() as alpaca,
        ingesting(zygote, database, alpaca, tmp_path) as daemon,
    ):
        after_rounds(alpaca)
        for number in range(6):
            alpaca.execute(
                "main", "SPY", "buy", 10, "431.25", order_id="one", order_qty=60,
                on_stream=number % 2 == 0,
            )  # fmt: skip
        eventually(lambda: count(database), 6)
        # A stream that loses frames is replaced, and a person can see it.
        eventually(lambda: metric(daemon, "missed_by_stream_total"), 3)
        eventually(lambda: metric(daemon, "stream_restarts_total") >= 1)

    totals = ["10", "20", "30", "40", "50", "60"]
    assert [row[4] for row in executions(database)] == totals
    assert quarantined(database) == []


def test_s13_another_uuid_in_rest_is_an_alias_and_writes_no_second_row(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with observed() as alpaca, ingesting(zygote, database, alpaca, tmp_path):
        alpaca.faults.rest.other_execution_ids = True
        # The stream is the first to tell.
        alpaca.faults.rest.activities_lag = 1
        for _ in range(3):
            alpaca.execute(
                "main", "SPY", "buy", 10, "1.5", order_id="one", order_qty=30
            )
        aliases = (
            "select f.cum_qty::int, f.source, e.source from raw.fills as f"
            " join raw.alpaca_event_dedupe as e on e.fill_event_id = f.event_id"
            " and e.event_id <> f.event_id order by 1"
        )
        both = [(n, "trade_updates", "activities") for n in (10, 20, 30)]
        soon(alpaca, lambda: database.query(aliases), both)
        after_rounds(alpaca)

    assert count(database) == 3
    assert quarantined(database) == []


@pytest.mark.parametrize("is_other_id", [False, True])
def test_s13_another_quantity_in_rest_is_an_anomaly_and_merges_nothing(
    zygote: Zygote, database: Database, tmp_path: Path, is_other_id: bool
) -> None:
    execution = str(uuid.uuid4())
    with (
        observed() as alpaca,
        ingesting(zygote, database, alpaca, tmp_path) as daemon,
    ):
        alpaca.faults.rest.other_execution_ids = is_other_id
        alpaca.faults.rest.quantities = {execution: "9"}
        # The stream is the first to tell.
        alpaca.faults.rest.activities_lag = 1
        alpaca.execute("main", "SPY", "buy", 10, "1.5", execution_id=execution)
        soon(alpaca, lambda: quarantined(database), ["contradicts_stored_fill"])
        wanted = {"reason": "contradicts_stored_fill"}
        eventually(lambda: metric(daemon, "messages_quarantined_total", **wanted) >= 1)
        assert daemon.logs("quarantined")[0]["code"] == "contradicts_stored_fill"
        after_rounds(alpaca, 2)

    stored = [("SPY", "buy", "10", "1.5", "10")]
    assert executions(database) == stored
    [(message,)] = database.query("select message from raw.quarantine")
    assert '"qty":"9"' in message, "the contradicting row is kept as it came"
    assert count(database, "quarantine") == 1, "however often it is listed"


def test_s19_a_broker_clock_that_jumps_by_ten_minutes_hides_nothing(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """The window's overlap covers a skew of five minutes both ways."""
    with observed() as alpaca:
        alpaca.faults.clock_skew = 300
        with ingesting(zygote, database, alpaca, tmp_path):
            after_rounds(alpaca)
            for number, skew in enumerate((300, -300, 300), start=1):
                alpaca.faults.clock_skew = skew
                alpaca.execute("main", "SPY", "buy", 10, "1.5", on_stream=False)
                soon(alpaca, lambda: count(database), wanted=number)
    assert quarantined(database) == []


def test_s19_the_repeated_hour_and_mixed_offsets_make_the_same_rows(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    """One instant is one instant, and 01:30 in New York happens twice that night."""
    instants = {
        "first": "2026-11-01T01:30:00.123456789-04:00",
        "again": "2026-11-01T01:30:00.123456789-05:00",
        "later": "2026-11-01T06:45:00.000001Z",
    }
    with observed() as alpaca:
        alpaca.set_clock(datetime(2026, 11, 1, 6, 50, tzinfo=UTC))
        with ingesting(zygote, database, alpaca, tmp_path) as daemon:
            for name, at in instants.items():
                alpaca.execute(
                    "main", "BTC/USD", "buy", "0.1", "9", order_id=name, at=at
                )
            eventually(lambda: count(database), 3)
            after_rounds(alpaca)
            # All over again from REST, where all is spelled in UTC.
            assert asked(alpaca, "/v2/account/activities", activity_types="FILL")
            daemon.stop()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with ingesting(zygote, database, alpaca, elsewhere):
            after_rounds(alpaca)

    assert database.query(
        "select order_id, executed_at::text from raw.fills order by executed_at"
    ) == [
        ("first", "2026-11-01 05:30:00.123456+00"),
        ("again", "2026-11-01 06:30:00.123456+00"),
        ("later", "2026-11-01 06:45:00.000001+00"),
    ]
    assert quarantined(database) == []
