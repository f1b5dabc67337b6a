"""Comparing with the broker, on real rows and told answers of REST."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.progress import Progress
from ingest.reconcile import Reconciler
from ingest.recording import parse_line
from ingest.state import AccountState
from ingest.writer import Writer
from tests.support import wire
from tests.support.postgres import Database

NOW = datetime(2026, 3, 2, 16, tzinfo=UTC)


class Account:
    """An account whose REST answers are told by the test."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.state = AccountState("main")
        self.progress = Progress(folder / "progress.json")
        self.fetched: list[str] = []
        self.clock = 0.0
        self._reconciler = Reconciler(
            database.connect, "main", self.state, self.progress, 20, self.fetched.append
        )

    def fill(self, number: int, side: str, qty: str, price: str, **fields: Any) -> None:
        """An execution of an order of its own, as the stream tells it."""
        execution = f"c1aa3140-5813-471e-8de6-4243ff0e{number:04d}"
        order = wire.order(f"order-{number}", side=side, qty=qty, filled_qty=qty)
        at = f"2026-03-02T15:{number:02d}:00Z"
        told = {"execution_id": execution, "timestamp": at, **fields}
        message = wire.frame(of=order, qty=qty, price=price, **told)
        self.write(wire.line("trade_updates", message))

    def write(self, *lines: str) -> None:
        with closing(self.database.connect()) as connection:
            Writer(connection).write([parse_line(line.encode()) for line in lines])

    def look(self, *positions: dict[str, Any], after: float = 30) -> None:
        self.clock += after
        self._reconciler.look(list(positions), NOW, self.clock)

    def look_twice(self, *positions: dict[str, Any]) -> None:
        self.look(*positions)
        self.look(*positions)

    def openings(self) -> list[tuple[Any, ...]]:
        return self.database.query(
            "select symbol, qty::float, price::float, price_source from raw.openings"
        )

    def incidents(self) -> list[str]:
        rows = self.database.query("select reason_code from raw.quarantine order by id")
        return [code for (code,) in rows]


@pytest.fixture
def account(database: Database, tmp_path: Path) -> Account:
    return Account(database, tmp_path)


def held(qty: str, average: str = "90", symbol: str = "SPY") -> dict[str, Any]:
    side = "short" if qty.startswith("-") else "long"
    return {
        "symbol": symbol, "qty": qty, "side": side, "avg_entry_price": average,
        "asset_class": "us_equity",
    }  # fmt: skip


def test_one_look_is_no_look(account: Account) -> None:
    account.progress.reconciled()
    account.fill(1, "buy", "10", "100", position_qty="10")
    account.look(held("12"))
    assert account.state.mismatches == 0

    account.look(held("12"), after=5)  # within the grace period
    assert account.incidents() == []

    account.look(held("12"))
    account.look(held("12"))
    assert account.incidents() == ["position_mismatch"]
    assert account.state.mismatches == 1

    account.look(held("10"))
    assert account.state.mismatches == 0


def test_a_difference_that_moves_is_not_confirmed(account: Account) -> None:
    account.progress.reconciled()
    for qty in ("3", "4", "5", "6"):
        account.look(held(qty))

    assert account.incidents() == []


def test_an_account_just_met_may_hold_what_it_was_never_seen_to_buy(
    account: Account,
) -> None:
    account.look_twice(held("7", "42.5", "AAPL"))

    assert account.openings() == [("AAPL", 7, 42.5, "broker")]
    account.look_twice(held("7", "42.5", "AAPL"))
    assert account.incidents() == []
    assert not account.progress.is_unreconciled


def test_later_an_unexplained_position_is_an_incident(account: Account) -> None:
    account.look_twice()
    account.look_twice(held("7", "42.5", "AAPL"))

    assert account.openings() == []
    assert account.incidents() == ["position_mismatch"]


def test_what_was_bought_before_costs_what_the_average_leaves_for_it(
    account: Account,
) -> None:
    """The broker's average of 110 includes the 10 that were seen to be bought."""
    account.progress.reconciled()
    account.fill(1, "buy", "10", "100", position_qty="110")
    account.look_twice(held("110", "90.909090909"))

    [(symbol, qty, price, source)] = account.openings()
    assert (symbol, qty, source) == ("SPY", 100, "broker")
    assert price == pytest.approx(90, abs=1e-6)


def test_a_sale_leaves_the_average_as_it_was(account: Account) -> None:
    account.progress.reconciled()
    account.fill(1, "sell", "40", "120", position_qty="60")
    account.look_twice(held("60", "90"))

    assert account.openings() == [("SPY", 100, 90, "broker")]


def test_a_position_closed_by_its_first_execution_has_no_average_left(
    account: Account,
) -> None:
    account.progress.reconciled()
    account.fill(1, "buy", "5", "100", position_qty="0")
    account.look_twice()

    assert account.openings() == [("SPY", -5, 100, "first_fill")]
    account.look_twice()
    assert account.incidents() == []


def test_an_opening_goes_when_its_trade_is_recorded_after_all(account: Account) -> None:
    account.progress.reconciled()
    account.fill(2, "buy", "10", "100", position_qty="110")
    account.look_twice(held("110", "90"))
    assert len(account.openings()) == 1

    account.fill(1, "buy", "100", "90", position_qty="100")
    account.look_twice(held("110", "90"))

    assert account.openings() == []
    account.look_twice(held("110", "90"))
    assert account.incidents() == []
    assert account.openings() == []


def test_a_crypto_pair_is_named_as_its_fills_name_it(account: Account) -> None:
    position = {**held("2", "50000", "BTCUSD"), "asset_class": "crypto"}
    account.look_twice(position)

    assert account.openings() == [("BTC/USD", 2, 50000, "broker")]


def test_a_crypto_fee_taken_in_the_coin_is_no_mismatch(account: Account) -> None:
    account.progress.reconciled()
    order = wire.order(
        symbol="BTC/USD", asset_class="crypto", qty="1", filled_qty="1", side="buy"
    )
    message = wire.frame(of=order, qty="1", price="50000", position_qty="0.9975")
    account.write(wire.line("trade_updates", message))
    account.look_twice({**held("0.9975", symbol="BTCUSD"), "asset_class": "crypto"})

    assert account.incidents() == []
    assert account.openings() == []


def test_a_hole_is_asked_for_once_then_told(account: Account) -> None:
    """Of 10 that the order says, 4 were recorded."""
    account.progress.reconciled()
    order = wire.order(qty="10", filled_qty="10")
    execution = wire.frame("partial_fill", of=order, qty="4", position_qty="4")
    account.write(wire.line("trade_updates", execution))
    account.look_twice(held("4"))

    assert account.fetched == ["order-1"]
    assert account.incidents() == ["missing_execution"]
    assert account.state.holes == 1


def test_what_the_broker_no_longer_lists_is_flat(account: Account) -> None:
    account.progress.reconciled()
    account.write(wire.line("positions", held("10"), at="2026-03-02T15:00:00Z"))
    account.look()

    assert account.database.query(
        "select qty, avg_entry_price from raw.broker_positions"
    ) == [(0, None)]


def test_an_opening_stays_when_its_position_goes(account: Account) -> None:
    """An expiry, say, that the broker states only tomorrow: no fill refutes it."""
    account.look_twice(held("7", "42.5", "AAPL"))
    account.look_twice()

    assert account.openings() == [("AAPL", 7, 42.5, "broker")]
    assert account.incidents() == ["position_mismatch"]


def test_a_crypto_round_trip_may_leave_its_fees(account: Account) -> None:
    account.progress.reconciled()
    pair = {"symbol": "BTC/USD", "asset_class": "crypto"}
    for number, side, qty in ((1, "buy", "1"), (2, "sell", "0.9975")):
        order = wire.order(f"o{number}", side=side, qty=qty, filled_qty=qty, **pair)
        execution = f"c1aa3140-5813-471e-8de6-4243ff0e{number:04d}"
        message = wire.frame(of=order, qty=qty, execution_id=execution)
        account.write(wire.line("trade_updates", message))
    account.look_twice()

    assert account.incidents() == []
