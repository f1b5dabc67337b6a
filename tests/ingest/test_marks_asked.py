"""The two functions by which open positions read marks: reduced_marks, last_quotes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postgres import Database

MARKS = """
select raw.add_marks_day(day) from (values (date '2025-03-03'), ('2025-03-04')) as d (day);
insert into raw.marks (ts, price, bid, ask, symbol_id, is_usable)
select ts::timestamptz, price, bid, ask, symbol_id, price > 0
from (values
    ('2025-03-03 15:00:30+00', 100, 90, 110, 1),
    ('2025-03-03 15:00:59+00', 9, 8, 10, 1),
    ('2025-03-03 15:00:59+00', 10, 9.5, 10.5, 1),
    ('2025-03-03 15:01:00+00', 10, null, null, 1),
    ('2025-03-03 15:01:00+00', 0, 0, 11, 1),
    ('2025-03-03 15:01:00.000001+00', 20, 10, 30, 1),
    ('2025-03-03 15:00:00+00', 4, 3, 5, 2),
    ('2025-03-03 14:59:59.999999+00', 4, 3, 5, 3),
    ('2025-03-03 23:59:50+00', 8, 7, 9, 4),
    ('2025-03-04 00:00:10+00', 9, null, null, 4)
) as marks (ts, price, bid, ask, symbol_id)
"""  # noqa: E501


@pytest.fixture
def marked(database: Database) -> Database:
    database.execute(MARKS)
    return database


def quotes(database: Database, *asked: tuple[int, str]) -> list[tuple[Any, ...]]:
    symbols, instants = zip(*asked, strict=True)
    return database.query(
        "select quote_number, bid, ask from raw.last_quotes(%s, %s::timestamptz[],"
        " interval '60 seconds') order by 1",
        (list(symbols), list(instants)),
    )


def test_the_last_quote_within_a_minute(marked: Database) -> None:
    at = "2025-03-03 15:01:00+00"
    # Of 1: trades in between and later quotes are passed over, and of two quotes of one
    # instant the higher counts. Of 2 a quote of exactly the age counts, of 3 an older
    # one does not.
    assert quotes(marked, (1, at), (2, at), (3, at)) == [(1, 9.5, 10.5), (2, 3, 5)]


def test_a_quote_of_the_day_before(marked: Database) -> None:
    assert quotes(marked, (4, "2025-03-04 00:00:20+00")) == [(1, 7, 9)]


def reduced(database: Database, *asked: tuple[int, str, str]) -> list[tuple[Any, ...]]:
    symbols, since, until = zip(*asked, strict=True)
    return database.query(
        "select span_number, highest_price, lowest_price, last_mark_at::text from"
        " raw.reduced_marks(%s, %s::timestamptz[], %s::timestamptz[]) order by 1",
        (list(symbols), list(since), list(until)),
    )


def test_marks_are_reduced_by_span(marked: Database) -> None:
    assert reduced(
        marked,
        (1, "2025-03-03 15:00:59+00", "2025-03-03 15:01:00.000001+00"),
        (1, "2025-03-03 15:02:00+00", "infinity"),
        (4, "2025-03-03 00:00:00+00", "infinity"),
    ) == [
        (1, 10, 9, "2025-03-03 15:01:00+00"),
        (3, 9, 8, "2025-03-04 00:00:10+00"),
    ]


def test_spans_of_one_symbol_share_their_marks(marked: Database) -> None:
    # One in another, one that begins where it ends, the same twice, and none at all.
    assert reduced(
        marked,
        (1, "2025-03-03 15:00:00+00", "infinity"),
        (1, "2025-03-03 15:00:59+00", "2025-03-03 15:01:00+00"),
        (1, "2025-03-03 15:01:00+00", "infinity"),
        (1, "2025-03-03 15:01:00+00", "infinity"),
        (1, "2025-03-03 15:01:00+00", "2025-03-03 15:00:00+00"),
    ) == [
        (1, 100, 9, "2025-03-03 15:01:00.000001+00"),
        (2, 10, 9, "2025-03-03 15:00:59+00"),
        (3, 20, 10, "2025-03-03 15:01:00.000001+00"),
        (4, 20, 10, "2025-03-03 15:01:00.000001+00"),
    ]


def test_what_lies_between_two_spans_is_of_neither(marked: Database) -> None:
    assert reduced(
        marked,
        (1, "2025-03-03 15:00:00+00", "2025-03-03 15:00:31+00"),
        (1, "2025-03-03 15:01:00+00", "2025-03-03 15:01:00.000001+00"),
    ) == [
        (1, 100, 100, "2025-03-03 15:00:30+00"),
        (2, 10, 10, "2025-03-03 15:01:00+00"),
    ]


def test_nothing_is_asked(marked: Database) -> None:
    assert marked.query("select * from raw.reduced_marks('{}', '{}', '{}')") == []
    assert marked.query("select * from raw.last_quotes('{}', '{}', '1 minute')") == []
