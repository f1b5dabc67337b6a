"""Executions that a live stream did not deliver."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ingest.told import MissedByStream, Told
from tests.support import wire

NOW = datetime(2026, 3, 2, 15, 31, tzinfo=UTC)
LIVE = 3600.0


def looks(told: Told, *rounds: list[dict[str, Any]], live_for: float = LIVE) -> int:
    """How many are missed in the last of several rounds, 30 s apart."""
    missed = MissedByStream(told)
    found = 0
    for number, rows in enumerate(rounds):
        found = missed.look(rows, live_for, 30.0 * number, NOW)
    return found


def test_an_execution_that_only_rest_tells_is_missed() -> None:
    assert looks(Told(), [], [wire.fill_activity()], [wire.fill_activity()]) == 1


def test_one_round_is_the_stream_s_to_be_late() -> None:
    assert looks(Told(), [], [wire.fill_activity()]) == 0


def test_what_the_first_round_finds_is_older_than_the_stream() -> None:
    assert looks(Told(), [wire.fill_activity()], [wire.fill_activity()]) == 0


def test_a_row_listed_late_is_older_than_the_stream() -> None:
    old = wire.fill_activity(transaction_time="2026-03-02T14:00:00Z")

    assert looks(Told(), [], [old], [old]) == 0


def test_what_the_stream_told_is_not_missed_by_its_place() -> None:
    told = Told()
    told.take(wire.frame(execution_id=None))

    assert looks(told, [], [wire.fill_activity()], [wire.fill_activity()]) == 0


def test_nor_by_its_id_where_the_order_was_told_as_of_later() -> None:
    """Of a burst each frame may show the order as it stood at the end."""
    told = Told()
    told.take(wire.frame("partial_fill", of=wire.order(filled_qty="25")))

    assert looks(told, [], [wire.fill_activity()], [wire.fill_activity()]) == 0


def test_the_end_of_an_order_is_told_for_good() -> None:
    told = Told()
    for status in ("new", "filled", "new"):
        told.take(wire.frame(of=wire.order(status=status)))

    assert told.order("order-1") and told.end("order-1")
    assert not told.order("order-2") and not told.end("order-2")
