"""Marks against a real Postgres: whatever comes in whatever batches, the best stays."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.facts import Mark
from ingest.recording import parse_line
from ingest.tables import marks
from ingest.writer import Writer
from tests.support import wire
from tests.support.postgres import Database

START = datetime(2026, 3, 2, 23, 59, 58, tzinfo=UTC)
ROWS = (
    "select symbol, ts, price, bid, ask, is_usable"
    " from raw.marks join raw.instruments using (symbol_id)"
)


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    with closing(database.connect()) as connection:
        yield Writer(connection)


def lines(chance: random.Random, count: int) -> list[bytes]:
    """Few symbols, instants and prices over midnight, so that many marks meet."""
    found = []
    for _ in range(count):
        symbol = chance.choice(["SPY", "QQQ", "BTC/USD"])
        at = START + timedelta(milliseconds=250 * chance.randrange(16))
        instant = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}999Z"
        half = chance.choice([0, 1, 2, 3]) / 100
        observation: Any = chance.choice([
            wire.trade(symbol, chance.choice([100.0, 100.1, 0, -1]), t=instant),
            wire.quote(symbol, 100 - half, 100 + half, t=instant),
            wire.quote(symbol, 0, chance.choice([0.01, 0.02]), t=instant),
            wire.quote(symbol, chance.choice([None, 100.2, -5.0]), 99.9, t=instant),
        ])  # fmt: skip
        found.append(wire.line("crypto_data", observation).encode())
    return found


def best(recorded: list[bytes]) -> set[tuple[Any, ...]]:
    """The rows to expect, by a walk over all marks."""
    found: dict[tuple[Any, ...], Mark] = {}
    for line in recorded:
        (mark,) = parse_line(line).facts
        assert isinstance(mark, Mark)
        key = (mark.symbol, mark.observed_at, mark.price)
        if key not in found or _rank(mark) > _rank(found[key]):
            found[key] = mark
    return set(map(tuple, found.values()))


def _rank(mark: Mark) -> tuple[float, float]:
    if mark.bid is None or mark.ask is None:
        return (float("-inf"), float("-inf"))
    return (mark.bid, -mark.ask)


@pytest.mark.parametrize("most_stored", [0, 4])
@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_any_batches_give_the_best_of_each_key(
    writer: Writer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    most_stored: int,
) -> None:
    """With 0, the server is asked about each mark as soon as anything is stored."""
    monkeypatch.setattr(marks, "MOST_STORED", most_stored)
    chance = random.Random(seed)
    recorded = lines(chance, 400)
    expected = best(recorded)
    written = 0
    delivered = [*recorded, *chance.sample(recorded, len(recorded))]
    while delivered:
        size = chance.choice([1, 7, 60, 300])
        batch, delivered = delivered[:size], delivered[size:]
        tally = writer.write([parse_line(line) for line in batch])
        assert tally["mark", "written"] + tally["mark", "duplicate"] == len(batch)
        written += tally["mark", "written"]
    rows = database.query(ROWS)
    assert len(rows) == len(expected) <= written
    assert set(rows) == expected


@pytest.mark.parametrize("most_stored", [0, 4])
def test_what_is_stored_is_not_touched_again(
    writer: Writer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    most_stored: int,
) -> None:
    """Not even locked: a lock is a write of the row."""
    monkeypatch.setattr(marks, "MOST_STORED", most_stored)
    entries = [parse_line(line) for line in lines(random.Random(1), 300)]
    writer.write(entries)
    before = database.query("select ctid::text, xmin::text, xmax::text from raw.marks")
    tally = writer.write(entries)
    assert tally["mark", "duplicate"] == 300
    assert (
        database.query("select ctid::text, xmin::text, xmax::text from raw.marks")
        == before
    )


@pytest.mark.parametrize(
    "instant",
    [
        "2000-01-01T00:00:00Z",
        "2026-03-02T15:30:00.123456999Z",
        "2026-03-02T15:30:00.1Z",
        "2026-03-02T10:30:00.123456-05:00",
        "9999-12-30T23:59:59.999999999Z",
    ],
)
@pytest.mark.parametrize("most_stored", [0, 4])
def test_an_instant_is_cut_to_microseconds_and_nothing_else(
    writer: Writer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    instant: str,
    most_stored: int,
) -> None:
    monkeypatch.setattr(marks, "MOST_STORED", most_stored)
    for price in (100.0, 101.0):  # the second meets a stored one
        message = wire.trade(price=price, t=instant)
        entry = parse_line(wire.line("stock_data", message).encode())
        writer.write([entry])
        (mark,) = entry.facts
        assert isinstance(mark, Mark)
        assert database.query(f"select ts from raw.marks where price = {price}") == [  # noqa: S608
            (mark.observed_at,)
        ]
