"""Which quotes are kept: few, and every extreme."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.thinning import Thinner


class Quote(NamedTuple):
    symbol: str
    second: int
    mid: float | None
    line: bytes
    now: float


def quotes(*mids: float | None, symbol: str = "SPY", second: int = 7) -> list[Quote]:
    return [
        Quote(symbol, second, mid, f"{symbol} {second} {number} {mid}\n".encode(), 0.0)
        for number, mid in enumerate(mids)
    ]


def offer_all(thinner: Thinner, offered: Iterable[Quote]) -> bytes:
    return b"".join(thinner.offer(*quote) for quote in offered)


def lines_of(offered: list[Quote], *numbers: int) -> bytes:
    return b"".join(offered[number].line for number in numbers)


def test_the_first_quote_is_kept_at_once_and_a_quiet_second_costs_one_row() -> None:
    thinner = Thinner()
    offered = quotes(5, 5, 5, 5)
    assert thinner.offer(*offered[0]) == offered[0].line
    assert offer_all(thinner, offered[1:]) == b""
    assert thinner.flush() == b""
    assert thinner.left_out == 3


@pytest.mark.parametrize(
    ("mids", "held"),
    [
        ((5, 6, 9, 8, 4, 3, 4), (2, 5)),
        ((5, 3, 4, 9, 8), (1, 3)),
        ((5, 6, 7, 8), (3,)),
        ((5, 2, 4), (1,)),
        ((5, 9, 1, 9, 1), (1, 2)),  # ties keep the earlier
    ],
)
def test_the_extremes_are_kept_in_order_when_the_second_is_over(
    mids: tuple[float, ...], held: tuple[int, ...]
) -> None:
    offered = quotes(*mids)
    next_second = quotes(5, second=8)[0]
    endings: list[Callable[[Thinner], bytes]] = [
        lambda thinner: thinner.flush(),
        lambda thinner: thinner.due(1.0),
        lambda thinner: thinner.offer(*next_second).removesuffix(next_second.line),
        lambda thinner: thinner.offer(*offered[0]._replace(now=1.0)).removesuffix(
            offered[0].line
        ),
    ]
    for ending in endings:
        thinner = Thinner()
        assert offer_all(thinner, offered) == offered[0].line
        assert thinner.due(0.9) == b""
        assert ending(thinner) == lines_of(offered, *held)
        assert thinner.left_out == len(mids) - 1 - len(held)
        assert thinner.flush() == b""


def test_an_unusable_first_quote_does_not_hide_the_usable_ones() -> None:
    thinner = Thinner()
    offered = quotes(None, None, 5, None, 5, 6, 4)
    assert offer_all(thinner, offered) == lines_of(offered, 0, 2)
    assert thinner.flush() == lines_of(offered, 5, 6)
    assert thinner.left_out == 3

    nan = quotes(float("nan"), 5, float("nan"), 6)
    assert offer_all(thinner, nan) + thinner.flush() == lines_of(nan, 0, 1, 3)


def test_an_unusable_later_quote_is_left_out() -> None:
    thinner = Thinner()
    offered = quotes(5, None, 6)
    assert offer_all(thinner, offered) == offered[0].line
    assert thinner.flush() == offered[2].line


def test_symbols_are_apart_and_come_out_in_the_order_of_arrival() -> None:
    thinner = Thinner()
    spy, qqq = quotes(5, 9, 1), quotes(7, 8, 2, symbol="QQQ")
    mixed = [spy[0], qqq[0], qqq[2], spy[2], qqq[1], spy[1]]
    assert offer_all(thinner, mixed) == spy[0].line + qqq[0].line
    assert thinner.flush() == b"".join(quote.line for quote in mixed[2:])


def test_a_late_quote_opens_its_second_anew() -> None:
    thinner = Thinner()
    old, new = quotes(5, 6, 7), quotes(5, 6, second=8)
    assert offer_all(thinner, old[:2]) == old[0].line
    assert thinner.offer(*new[0]) == old[1].line + new[0].line
    assert thinner.offer(*old[2]) == old[2].line
    assert thinner.offer(*new[1]) == new[1].line


def test_what_is_due_does_not_wait_for_a_younger_second_of_another_symbol() -> None:
    thinner = Thinner()
    spy, qqq = quotes(5, 9), quotes(7, 8, symbol="QQQ")
    offer_all(thinner, [spy[0], *(quote._replace(now=0.5) for quote in qqq)])
    thinner.offer(*quotes(5, second=8)[0]._replace(now=0.9))
    assert thinner.due(1.6) == qqq[1].line


def test_symbols_that_went_quiet_take_no_memory() -> None:
    thinner = Thinner(hold_seconds=1.0)
    for number in range(1000):
        thinner.offer(str(number), 0, 1.0, b"x\n", number / 1000)
    thinner.due(1.5)
    assert len(thinner._buckets) == 499
    thinner.due(3.0)
    assert not thinner._buckets


def test_all_are_kept_when_asked_to() -> None:
    thinner = Thinner(keep_all=True)
    offered = quotes(5, 5, None, 5)
    assert offer_all(thinner, offered) == lines_of(offered, 0, 1, 2, 3)
    assert thinner.due(9) == thinner.flush() == b""
    assert thinner.left_out == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.integers(0, 2),
        st.none() | st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0]),
        st.sampled_from([0.0, 0.0, 0.1, 0.4, 1.0]),
    ),
    max_size=60,
)


def numbered(drawn: list[tuple[str, int, float | None, float]]) -> list[Quote]:
    now, offered = 0.0, []
    for number, (symbol, second, mid, pause) in enumerate(drawn):
        now += pause
        offered.append(Quote(symbol, second, mid, b"%d\n" % number, now))
    return offered


def kept_numbers(data: bytes) -> list[int]:
    return [int(line) for line in data.splitlines()]


def buckets(offered: list[Quote]) -> list[list[int]]:
    """The numbers of the quotes of each contiguous second, by the definition."""
    found: list[list[int]] = []
    current: dict[str, list[int]] = {}
    for number, quote in enumerate(offered):
        bucket = current.get(quote.symbol)
        first = offered[bucket[0]] if bucket else None
        if (
            bucket is None
            or first is None
            or first.second != quote.second
            or quote.now - first.now >= 1.0
        ):
            bucket = current[quote.symbol] = []
            found.append(bucket)
        bucket.append(number)
    return found


@given(steps, st.data())
def test_no_extreme_is_lost_whatever_comes(
    drawn: list[tuple[str, int, float | None, float]], data: st.DataObject
) -> None:
    offered = numbered(drawn)
    thinner, without_timer = Thinner(), Thinner()
    parts: list[bytes] = []
    for quote in offered:
        parts.append(thinner.offer(*quote))
        if data.draw(st.booleans()):
            parts.append(thinner.due(quote.now))
    parts.append(thinner.flush())
    assert all(kept_numbers(part) == sorted(kept_numbers(part)) for part in parts)

    numbers = kept_numbers(b"".join(parts))
    kept = set(numbers)
    assert len(numbers) == len(kept)
    assert thinner.left_out == len(offered) - len(kept)
    # The timer changes when lines come out, not which.
    silent = offer_all(without_timer, offered) + without_timer.flush()
    assert set(kept_numbers(silent)) == kept

    extremes: defaultdict[tuple[str, int], list[list[float]]]
    extremes = defaultdict(lambda: [[], []])
    for number, quote in enumerate(offered):
        if quote.mid is not None:
            both = extremes[quote.symbol, quote.second]
            both[0].append(quote.mid)
            if number in kept:
                both[1].append(quote.mid)
    for all_mids, kept_mids in extremes.values():
        assert (min(all_mids), max(all_mids)) == (min(kept_mids), max(kept_mids))
    for bucket in buckets(offered):
        usable = offered[bucket[0]].mid is not None
        assert bucket[0] in kept
        assert len(kept.intersection(bucket)) <= (3 if usable else 4)
