"""What the broker says of positions: the last word stays, however it is delivered."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
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


def observed(minute: int, account: str = "main", **fields: Any) -> str:
    at = f"2026-03-02T15:{minute:02}:00Z"
    return wire.line("positions", wire.position(**fields), at=at, account=account)


def write(writer: Writer, *lines: str) -> Tally:
    return writer.write([parse_line(line.encode()) for line in lines])


def stored(database: Database) -> list[tuple[Any, ...]]:
    return database.query(
        "select account_name, symbol, qty, avg_entry_price, observed_at"
        " from raw.broker_positions order by account_name, symbol"
    )


def at(minute: int) -> datetime:
    return datetime(2026, 3, 2, 15, minute, tzinfo=UTC)


def test_the_last_observation_stays_in_any_order_and_batch(database: Database) -> None:
    """Held, added to, sold and bought again: the same quantity is not the same time."""
    said = [
        observed(1, qty="10"),
        observed(2, qty="0", avg_entry_price=""),
        observed(3, qty="-5", avg_entry_price="101.5"),
        observed(4, qty="-5", avg_entry_price="101.5"),
    ]
    with closing(database.connect()) as connection:
        for order in itertools.permutations(said):
            with connection, connection.cursor() as cursor:
                cursor.execute("truncate raw.broker_positions")
            writer = Writer(connection)
            write(writer, *order[:2])
            write(writer, *order[2:])
            assert stored(database) == [
                ("main", "SPY", Decimal(-5), Decimal("101.5"), at(4))
            ]


def test_only_another_quantity_or_price_is_written(
    writer: Writer, database: Database
) -> None:
    def written(*lines: str) -> tuple[int, int]:
        tally = write(writer, *lines)
        return tally["position", "written"], tally["position", "duplicate"]

    assert written(observed(1)) == (1, 0)
    assert written(observed(2)) == (0, 1)
    assert written(observed(2, qty="11")) == (0, 1), "equally old"
    assert written(observed(1, qty="11")) == (0, 1), "older"
    assert written(observed(3, avg_entry_price="99")) == (1, 0)
    assert written(observed(4, account="other")) == (1, 0)
    assert stored(database) == [
        ("main", "SPY", Decimal(10), Decimal(99), at(3)),
        ("other", "SPY", Decimal(10), Decimal(100), at(4)),
    ]
    before = database.query("select xmin::text from raw.broker_positions")
    assert written(observed(1), observed(3, avg_entry_price="99")) == (0, 2)
    assert database.query("select xmin::text from raw.broker_positions") == before


def test_a_crypto_pair_is_registered_as_the_broker_spells_it(
    writer: Writer, database: Database
) -> None:
    write(writer, observed(1, symbol="BTCUSD", asset_class="crypto"))
    assert database.query("select symbol, asset_class from raw.instruments") == [
        ("BTCUSD", "crypto")
    ]


@pytest.mark.shared
def test_the_brokers_own_examples_are_stored(
    writer: Writer, database: Database, shared: Path
) -> None:
    path = shared / "alpaca" / "examples" / "rest" / "positions.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    write(writer, *(wire.line("positions", row) for row in rows))
    assert {(row[1], row[2]) for row in stored(database)} == {
        (row["symbol"], Decimal(row["qty"])) for row in rows
    }
