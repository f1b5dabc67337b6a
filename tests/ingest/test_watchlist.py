"""Which symbols are marked, from frames and from REST's lists that lag behind them."""

from __future__ import annotations

from unittest import mock

import pytest

from ingest import watchlist
from ingest.watchlist import Watchlist
from tests.support import wire


@pytest.fixture
def watched() -> Watchlist:
    return Watchlist()


def stocks(watched: Watchlist) -> set[str]:
    return watched.symbols()["stock_data"]


def test_an_order_is_marked_until_it_ends(watched: Watchlist) -> None:
    order = wire.order(status="new", filled_qty="0")
    watched.saw_frame("main", wire.frame("new", of=order, position_qty=None))
    assert stocks(watched) == {"SPY"}

    ended = wire.order(status="canceled", filled_qty="0")
    watched.saw_frame("main", wire.frame("canceled", of=ended, position_qty=None))
    assert stocks(watched) == set()


def test_a_late_frame_does_not_revive_an_order(watched: Watchlist) -> None:
    for status in ("canceled", "new"):
        order = wire.order(status=status, filled_qty="0")
        watched.saw_frame("main", wire.frame("new", of=order, position_qty=None))

    assert stocks(watched) == set()


def test_a_position_just_opened_outlives_a_list_that_lags(watched: Watchlist) -> None:
    watched.saw_frame("main", wire.frame())
    watched.saw_positions("main", [])
    watched.saw_open_orders("main", [])
    assert stocks(watched) == {"SPY"}

    with mock.patch.object(watchlist.time, "monotonic", return_value=1e12):
        assert stocks(watched) == set()


def test_a_position_just_closed_is_not_marked_any_more(watched: Watchlist) -> None:
    watched.saw_frame("main", wire.frame())
    watched.saw_frame("main", wire.frame(position_qty="0"))

    assert stocks(watched) == set()


def test_an_order_told_by_a_frame_outlives_one_list(watched: Watchlist) -> None:
    order = wire.order(status="new", filled_qty="0")
    watched.saw_frame("main", wire.frame("new", of=order, position_qty=None))
    watched.saw_open_orders("main", [])
    assert stocks(watched) == {"SPY"}

    watched.saw_open_orders("main", [])
    assert stocks(watched) == set()


def test_accounts_do_not_forget_for_each_other(watched: Watchlist) -> None:
    watched.saw_positions("one", [{"symbol": "SPY", "asset_class": "us_equity"}])
    watched.saw_positions("two", [])

    assert stocks(watched) == {"SPY"}


def test_a_crypto_pair_is_streamed_with_its_slash(watched: Watchlist) -> None:
    watched.saw_positions("main", [{"symbol": "BTCUSD", "asset_class": "crypto"}])

    assert watched.symbols()["crypto_data"] == {"BTC/USD"}


@pytest.mark.parametrize("frame", [None, 3, {}, {"data": None}, {"data": {"order": 1}}])
def test_a_frame_of_another_shape_tells_nothing(
    watched: Watchlist, frame: object
) -> None:
    watched.saw_frame("main", frame)

    assert stocks(watched) == set()
