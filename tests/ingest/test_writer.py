"""The writer against a real Postgres: once, twice, contradicting, refused, at once."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ingest.outcome import Tally
from ingest.recording import parse_line
from ingest.writer import Writer
from tests.support import wire
from tests.support.postgres import Database


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    with closing(database.connect()) as connection:
        yield Writer(connection)


def write(writer: Writer, *lines: str) -> Tally:
    return writer.write([parse_line(line.encode()) for line in lines])


def streamed(**fields: Any) -> str:
    return wire.line("trade_updates", wire.frame(**fields))


EVERYTHING = [
    streamed(),
    wire.line("trade_updates", wire.frame("new", execution_id="n-1")),
    wire.line("activities", wire.fill_activity()),
    wire.line("activities", wire.activity("DIV", symbol="SPY", net_amount="1.02")),
    wire.line("orders", wire.order("parent", legs=[wire.order("leg-1")])),
    wire.line("positions", wire.position()),
    wire.line("stock_data", wire.quote()),
    wire.line("stock_data", wire.trade()),
    wire.line("crypto_data", wire.quote("BTC/USD")),
    wire.line("dispatch", wire.recommendation()),
    wire.line("dispatch", wire.execution(alpaca_order_id=None)),
    wire.line("dispatch", wire.execution()),
    wire.line("telegraph", {}),
]

TABLES = {
    "raw.fills": "ingested_at",
    "raw.alpaca_event_dedupe": "processed_at",
    "raw.orders": "ingested_at",
    "raw.account_activities": "ingested_at",
    "raw.broker_positions": "ingested_at",
    "raw.marks": "",
    "raw.instruments": "first_seen_at",
    "raw.dispatch_recommendations": "ingested_at",
    "raw.dispatch_executions": "ingested_at",
    "raw.quarantine": "quarantined_at",
}


def contents(database: Database) -> dict[str, list[str]]:
    """All raw rows as JSON, without the clock of this machine and generated ids."""
    found = {}
    for table, clock in TABLES.items():
        rows = database.query(f"select to_jsonb(t) from {table} as t")  # noqa: S608
        for (row,) in rows:
            for generated in (clock, "id"):
                row.pop(generated, None)
        found[table] = sorted(json.dumps(row, sort_keys=True) for (row,) in rows)
    return found


def test_everything_twice_is_everything_once(
    writer: Writer, database: Database
) -> None:
    write(writer, *EVERYTHING)
    once = contents(database)
    assert all(once.values())
    tally = write(writer, *EVERYTHING)
    assert contents(database) == once
    assert {
        kind for kind, outcome in tally if outcome == "written" and tally[kind, outcome]
    } == (set())


def test_everything_doubled_in_one_batch_is_everything_once(
    writer: Writer, database: Database
) -> None:
    write(writer, *EVERYTHING, *EVERYTHING)
    assert database.query("select count(*) from raw.fills") == [(1,)]
    assert database.query("select count(*) from raw.marks") == [(2,)]
    assert database.query("select count(*) from raw.dispatch_executions") == [(1,)]


def test_a_fill_and_its_dedupe_row_are_one(writer: Writer, database: Database) -> None:
    write(writer, streamed())
    assert database.query(
        "select event_id, fill_event_id, event_data = payload"
        " from raw.alpaca_event_dedupe join raw.fills using (event_id)"
    ) == [("exec:c1aa3140-5813-471e-8de6-4243ff0e8668",) * 2 + (True,)]


def test_the_other_sources_copy_is_another_name(
    writer: Writer, database: Database
) -> None:
    other = wire.fill_activity(
        id="20260302103000123::aaaaaaaa-5813-471e-8de6-4243ff0e8668"
    )
    write(writer, streamed())
    write(writer, wire.line("activities", other))
    assert database.query("select count(*) from raw.fills") == [(1,)]
    assert database.query(
        "select fill_event_id from raw.alpaca_event_dedupe"
        " where event_id = 'exec:aaaaaaaa-5813-471e-8de6-4243ff0e8668'"
    ) == [("exec:c1aa3140-5813-471e-8de6-4243ff0e8668",)]


def test_a_contradiction_is_kept_apart_and_the_rest_is_written(
    writer: Writer, database: Database
) -> None:
    write(writer, streamed())
    tally = write(writer, streamed(price="101"), wire.line("stock_data", wire.quote()))
    assert tally["message", "quarantined"] == 1
    assert tally["mark", "written"] == 1
    assert database.query("select price from raw.fills") == [(100,)]
    ((code, reason, message),) = database.query(
        "select reason_code, reason, message from raw.quarantine"
    )
    assert code == "contradicts_stored_fill"
    assert "buy 10 SPY at 100" in reason
    assert json.loads(message)["msg"]["data"]["price"] == "101"


def test_rest_moves_a_misplaced_execution(writer: Writer, database: Database) -> None:
    misplaced = wire.order(filled_qty="20")
    write(writer, streamed(of=misplaced))
    write(writer, wire.line("activities", wire.fill_activity()))
    assert database.query("select cum_qty from raw.fills") == [(10,)]
    # The frame comes again, and stays without effect.
    tally = write(writer, streamed(of=misplaced))
    assert tally["fill", "duplicate"] == 1
    assert database.query("select cum_qty from raw.fills") == [(10,)]


@pytest.mark.parametrize("bust_first", [True, False])
def test_a_bust_supersedes_before_or_after(
    writer: Writer, database: Database, *, bust_first: bool
) -> None:
    bust = streamed(
        event="trade_bust",
        execution_id="bbbbbbbb-5813-471e-8de6-4243ff0e8668",
        previous_execution_id="c1aa3140-5813-471e-8de6-4243ff0e8668",
        qty="-10",
    )
    for line in [bust, streamed()] if bust_first else [streamed(), bust]:
        write(writer, line)
    assert database.query(
        "select kind, superseded_by from raw.fills order by kind desc"
    ) == [("fill", "exec:bbbbbbbb-5813-471e-8de6-4243ff0e8668"), ("bust", None)]


def test_what_a_bust_makes_room_for_may_come_before_it(
    writer: Writer, database: Database
) -> None:
    again = streamed(execution_id="dddddddd-5813-471e-8de6-4243ff0e8668")
    bust = streamed(
        event="trade_bust",
        execution_id="bbbbbbbb-5813-471e-8de6-4243ff0e8668",
        previous_execution_id="c1aa3140-5813-471e-8de6-4243ff0e8668",
        qty="-10",
    )
    write(writer, streamed())
    assert write(writer, again)["message", "quarantined"] == 1
    assert write(writer, bust)["fill", "written"] == 2
    assert database.query(
        "select event_id from raw.fills where kind = 'fill' and superseded_by is null"
    ) == [("exec:dddddddd-5813-471e-8de6-4243ff0e8668",)]
    assert database.query("select count(*) from raw.quarantine") == [(0,)]
    assert write(writer, again, bust)["fill", "duplicate"] == 2


def test_within_a_batch_a_bust_makes_room_wherever_it_stands(
    writer: Writer, database: Database
) -> None:
    again = streamed(execution_id="dddddddd-5813-471e-8de6-4243ff0e8668")
    bust = streamed(
        event="trade_bust",
        execution_id="bbbbbbbb-5813-471e-8de6-4243ff0e8668",
        previous_execution_id="c1aa3140-5813-471e-8de6-4243ff0e8668",
        qty="-10",
    )
    tally = write(writer, streamed(), again, bust)
    assert (tally["fill", "written"], tally["message", "quarantined"]) == (3, 0)


def test_within_a_batch_the_states_of_an_order_are_joined(
    writer: Writer, database: Database
) -> None:
    old = wire.order("o", updated_at="2026-03-02T15:00:00Z", status="new")
    new = wire.order("o", updated_at="2026-03-02T16:00:00Z", status="filled")
    parent = wire.order("parent", legs=[old])
    write(writer, *(wire.line("orders", row) for row in (new, parent)))
    assert database.query(
        "select status, parent_order_id from raw.orders where order_id = 'o'"
    ) == [("filled", "parent")]


def test_within_a_batch_the_tightest_quote_stays(
    writer: Writer, database: Database
) -> None:
    trade = wire.line("stock_data", wire.trade(price=100.0))
    wide = wire.line("stock_data", wire.quote(bid=99.0, ask=101.0))
    tight = wire.line("stock_data", wire.quote(bid=99.5, ask=100.5))
    write(writer, trade, wide, tight)
    assert database.query("select bid, ask from raw.marks") == [(99.5, 100.5)]


def test_a_dispatch_row_fills_in_and_never_changes(
    writer: Writer, database: Database
) -> None:
    write(writer, wire.line("dispatch", wire.execution(alpaca_order_id=None)))
    write(writer, wire.line("dispatch", wire.execution()))
    tally = write(writer, wire.line("dispatch", wire.execution(stop_price=98.5)))
    assert tally["execution", "written"] == 1
    tally = write(writer, wire.line("dispatch", wire.execution(intent="exit")))
    assert tally["message", "quarantined"] == 1
    assert database.query(
        "select alpaca_order_id, stop_price, intent from raw.dispatch_executions"
    ) == [("order-1", pytest.approx(98.5), "entry")]


def test_an_activity_has_a_row_for_each_version(
    writer: Writer, database: Database
) -> None:
    executed = wire.activity("OPEXP", symbol="AAPL260417C00190000", qty="-1")
    write(writer, wire.line("activities", executed))
    write(writer, wire.line("activities", {**executed, "status": "canceled"}))
    assert database.query(
        "select status from raw.account_activities order by status"
    ) == [("canceled",), ("executed",)]
    tally = write(writer, wire.line("activities", {**executed, "qty": "-2"}))
    assert tally["message", "quarantined"] == 1


def test_the_newest_state_of_an_order_stays(writer: Writer, database: Database) -> None:
    old = wire.order(
        "o", updated_at="2026-03-02T15:00:00Z", status="new", filled_qty="0"
    )
    new = wire.order("o", updated_at="2026-03-02T16:00:00Z", status="filled")
    parent = wire.order("parent", legs=[old])
    for lines in ([new, parent], [parent, new]):
        random.shuffle(lines)
        for row in lines:
            write(writer, wire.line("orders", row))
        assert database.query(
            "select status, parent_order_id from raw.orders where order_id = 'o'"
        ) == [("filled", "parent")]


def test_where_quotes_and_a_trade_meet_the_tightest_quote_stays(
    writer: Writer, database: Database
) -> None:
    meeting = [
        wire.line("stock_data", wire.trade(price=100.0)),
        wire.line("stock_data", wire.quote(bid=99.0, ask=101.0)),
        wire.line("stock_data", wire.quote(bid=99.5, ask=100.5)),
    ]
    for _ in range(3):
        random.shuffle(meeting)
        for line in meeting:
            write(writer, line)
        assert database.query("select price, bid, ask from raw.marks") == [
            (100.0, 99.5, 100.5)
        ]


def test_marks_fall_into_the_partition_of_their_day(
    writer: Writer, database: Database
) -> None:
    for instant in ("2013-10-07T23:59:59.999999999Z", "2013-10-08T00:00:00Z"):
        write(writer, wire.line("stock_data", wire.quote(t=instant)))
    assert database.query(
        "select tableoid::regclass::text from raw.marks order by ts"
    ) == [("raw.marks_20131007",), ("raw.marks_20131008",)]


def test_what_the_database_refuses_does_not_take_the_batch_with_it(
    writer: Writer, database: Database
) -> None:
    # A NUL is fine in JSON and in Python, and cannot be stored.
    poison = wire.line("trade_updates", wire.frame(note="\x00"))
    others = [
        wire.line("stock_data", wire.quote(bid=10 + n, ask=11 + n)) for n in range(9)
    ]
    tally = write(writer, *others[:5], poison, *others[5:])
    assert (tally["mark", "written"], tally["message", "quarantined"]) == (9, 1)
    assert database.query("select reason_code from raw.quarantine") == [
        ("refused_by_database",)
    ]


def test_a_known_crypto_pair_without_a_slash_is_crypto(
    writer: Writer, database: Database
) -> None:
    write(writer, wire.line("stock_data", wire.quote("BTCUSD")))
    write(writer, streamed(of=wire.order(symbol="BTCUSD", asset_class="crypto")))
    write(writer, wire.line("stock_data", wire.quote("BTCUSD", bid=1.0)))
    assert database.query("select asset_class from raw.instruments") == [("crypto",)]


def test_writers_at_once_store_each_fact_once(database: Database) -> None:
    """Each thread delivers everything, shuffled, in small batches."""
    lines = [
        wire.line(
            "trade_updates",
            wire.frame(
                of=wire.order(f"o-{n}"),
                execution_id=f"{n:08x}-5813-471e-8de6-4243ff0e8668",
            ),
        )
        for n in range(60)
    ] + [
        wire.line("stock_data", wire.quote(bid=1.0 + n, ask=2.0 + n)) for n in range(60)
    ]
    errors: list[BaseException] = []

    def deliver(seed: int) -> None:
        shuffled = random.Random(seed).sample(lines, len(lines))
        try:
            with closing(database.connect()) as connection:
                writer = Writer(connection)
                for start in range(0, len(shuffled), 7):
                    write(writer, *shuffled[start : start + 7])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=deliver, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert database.query("select count(*) from raw.fills") == [(60,)]
    assert database.query("select count(*) from raw.marks") == [(60,)]
    assert database.query("select count(*) from raw.quarantine") == [(0,)]


def test_the_position_that_only_the_stream_tells_is_learnt(
    database: Database, writer: Writer
) -> None:
    """Whichever copy of the execution comes first."""
    write(writer, wire.line("activities", wire.fill_activity()))
    assert database.query("select position_qty from raw.fills") == [(None,)]

    write(writer, streamed())
    write(writer, wire.line("activities", wire.fill_activity()))

    assert database.query("select position_qty from raw.fills") == [(10,)]


def test_a_row_that_the_database_will_never_take_does_not_stop_the_others(
    database: Database, writer: Writer
) -> None:
    """A symbol too long for an index is refused as a limit, not as bad data."""
    noise = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))
    tally = write(
        writer,
        wire.line("stock_data", wire.quote(noise)),
        wire.line("stock_data", wire.quote("SPY")),
    )

    assert tally["message", "quarantined"] == 1
    assert database.query("select reason_code from raw.quarantine") == [
        ("refused_by_database",)
    ]
    assert tally["mark", "written"] == 1
