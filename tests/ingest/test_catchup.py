"""A catch-up round whose questions are answered by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.catchup import CatchUp
from ingest.errors import ExcursionError
from ingest.identity import AccountRefusedError, Identities
from ingest.progress import Progress
from ingest.settings import Ingest
from ingest.snapshots import Snapshots
from ingest.state import AccountState
from ingest.told import Told
from tests.support import wire


class RefusedError(ExcursionError):
    def __init__(self, status: int) -> None:
        super().__init__(f"the broker answered {status}")
        self.status = status


class Broker:
    """Answers by path; a path that is refused raises."""

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self.answers: dict[str, Any] = {
            "/clock": {"timestamp": "2026-03-02T15:31:00-05:00"},
            "/account": {"id": "account-1"},
            "/positions": [{"symbol": "SPY", "qty": "10", "avg_entry_price": "100"}],
            "/orders": [],
            "/account/activities": [],
        }
        self.asked: list[str] = []

    def read(self, path: str, parameters: dict[str, Any], version: str = "v2") -> Any:
        self.asked.append(path)
        for prefix, status in self.refused.items():
            if path.startswith(prefix):
                raise RefusedError(status)
        answer = self.answers.get(path, {"id": path.rpartition("/")[2]})
        return answer(parameters) if callable(answer) else answer


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def caught(broker: Broker, tmp_path: Path) -> Callable[..., CatchUp]:
    def make(name: str = "main", identities: Identities | None = None) -> CatchUp:
        return CatchUp(
            broker,
            name,
            AccountState(name),
            Ingest(),
            Progress(tmp_path / f"{name}.json"),
            spooled.append,
            Told(),
            identities or Identities(),
        )

    spooled: list[bytes] = []
    make.spooled = spooled  # type: ignore[attr-defined]
    return make


@pytest.mark.parametrize("path", ["/orders", "/account/activities", "/positions"])
def test_one_question_that_fails_leaves_the_others(
    broker: Broker, caught: Callable[..., CatchUp], path: str
) -> None:
    broker.refused[path] = 500
    done = caught().round()

    assert isinstance(done.problem, RefusedError)
    assert {"/orders", "/account/activities", "/positions"} <= set(broker.asked)
    assert (done.positions is None) == (path == "/positions")
    assert (done.open_orders is None) == (path == "/orders")


@pytest.mark.parametrize("status", [400, 404, 422])
def test_an_order_that_the_broker_does_not_know_is_asked_for_once(
    broker: Broker, caught: Callable[..., CatchUp], status: int
) -> None:
    broker.refused["/orders/order-1"] = status
    broker.answers["/account/activities"] = [wire.fill_activity()]
    catchup = caught()

    for _ in range(3):
        assert catchup.round().problem is None
    assert broker.asked.count("/orders/order-1") == 1


def test_more_orders_than_a_round_asks_for_come_in_the_next(
    broker: Broker, caught: Callable[..., CatchUp]
) -> None:
    rows = [wire.fill_activity(id=f"a::{n}", order_id=f"order-{n}") for n in range(50)]
    broker.answers["/account/activities"] = lambda asked: (
        [] if "date" in asked else rows
    )
    catchup = caught()
    catchup.round()
    assert sum(path.startswith("/orders/") for path in broker.asked) == 20

    broker.answers["/account/activities"] = []
    catchup.round()
    catchup.round()
    assert sum(path.startswith("/orders/") for path in broker.asked) == 50


def test_one_account_under_two_names_is_refused(
    caught: Callable[..., CatchUp],
) -> None:
    identities = Identities()
    caught("main", identities).round()

    with pytest.raises(AccountRefusedError, match="main and copy are one and the same"):
        caught("copy", identities).round()


def test_another_account_under_the_old_name_is_refused(
    broker: Broker, caught: Callable[..., CatchUp]
) -> None:
    caught().round()
    caught().round()
    broker.answers["/account"] = {"id": "account-2"}

    with pytest.raises(AccountRefusedError, match="another Alpaca account than before"):
        caught().round()


def test_a_symbol_that_the_broker_does_not_know_spoils_no_other() -> None:
    """Alpaca refuses a request for snapshots as a whole."""
    symbols = {f"S{number}" for number in range(203)}
    found: list[dict[str, Any]] = []
    asked: list[str] = []

    class Client:
        def read(self, path: str, asked_for: dict[str, Any], version: str = "") -> Any:
            names = asked_for["symbols"].split(",")
            asked.append(asked_for["symbols"])
            if "S77" in names:
                raise RefusedError(400)
            return {name: {"latestQuote": {"bp": 1.0, "ap": 1.1}} for name in names}

    from ingest.settings import MarketData

    snapshots = Snapshots(
        Client(), MarketData(), dict, lambda channel, messages: found.extend(messages)
    )
    snapshots._ask("stock_data", sorted(symbols), 0.0)
    assert {message["S"] for message in found} == symbols - {"S77"}
    assert orjson.dumps(found)

    asked.clear()
    assert snapshots._next_at["S77"] > 1000
