"""excursion observes: it has no way to place, change or cancel an order."""

from __future__ import annotations

import ast
import inspect
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import ingest
from standin import Alpaca, running

# alpaca-py imports what websockets deprecates.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import alpaca.trading.requests

    from ingest.feed.rest import NotReadingError, Pace, ReadOnlyClient

PACKAGE = Path(ingest.__file__).parent

# All of alpaca-py that may be used: streams, their settings, and REST's bare client.
ALLOWED = {
    "alpaca.common.exceptions",
    "alpaca.common.rest",
    "alpaca.data.enums",
    "alpaca.data.live",
    "alpaca.trading.stream",
}

# Whatever describes an order to be sent, and the clients that could send it.
FORBIDDEN = {
    name
    for name, found in vars(alpaca.trading.requests).items()
    if inspect.isclass(found) and found.__module__ == alpaca.trading.requests.__name__
} | {"TradingClient", "BrokerClient", "submit_order", "cancel_orders", "close_position"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    """The name below ingest/ and the syntax of each module."""
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 50
    for path in paths:
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of what is imported, in whatever way and place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Constant) and str(node.value).startswith("alpaca."):
            # For import_module("alpaca.trading.client") and its like.
            yield str(node.value)


def is_alpaca(name: str) -> bool:
    return name.split(".")[0] == "alpaca"


def named(tree: ast.AST) -> Iterator[str]:
    """Every identifier that a module uses or imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]


def test_only_the_feed_imports_alpaca_and_only_what_reads() -> None:
    importing = set()
    for name, tree in modules():
        used = {module for module in imported(tree) if is_alpaca(module)}
        assert used <= ALLOWED, f"{name} imports {sorted(used - ALLOWED)}"
        if used:
            importing.add(name)
    assert importing
    assert all(name.startswith("feed/") for name in importing), importing


def test_no_module_names_a_class_or_function_that_orders() -> None:
    assert {"MarketOrderRequest", "ReplaceOrderRequest"} <= FORBIDDEN
    for name, tree in modules():
        used = FORBIDDEN.intersection(named(tree))
        assert not used, f"{name} uses {sorted(used)}"


@pytest.fixture(scope="module")
def broker() -> Iterator[Alpaca]:
    with running(accounts={"main": ("key", "secret")}) as alpaca:
        yield alpaca


@pytest.fixture
def client(broker: Alpaca) -> Iterator[ReadOnlyClient]:
    made: Counter[tuple[str, str]] = Counter()
    client = ReadOnlyClient(
        "main",
        broker.url,
        ("key", "secret"),
        pace=Pace(1000),
        timeout_seconds=5,
        stop=threading.Event(),
        requests_made=made,
    )
    yield client
    client._session.close()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_method_but_get_leaves(
    broker: Alpaca, client: ReadOnlyClient, method: str
) -> None:
    order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market"}
    url = f"{broker.url}/v2/orders"
    session: requests.Session = client._session
    prepared = session.prepare_request(requests.Request(method.upper(), url))
    ways: list[Any] = [
        lambda: getattr(client, method)("/orders", order),
        lambda: client._request(method.upper(), "/orders", order),
        lambda: getattr(session, method)(url, json=order),
        lambda: session.request(method, url, json=order),
        lambda: session.send(prepared),
    ]
    for way in ways:
        with pytest.raises(NotReadingError, match=method.upper()):
            way()
    assert broker.forbidden_requests == []


def test_get_leaves_and_the_stand_in_would_notice_more(
    broker: Alpaca, client: ReadOnlyClient
) -> None:
    assert client.read("/positions", {}) == []
    assert broker.requests[-1].path == "/v2/positions"
    headers = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    refused = requests.post(f"{broker.url}/v2/orders", headers=headers, timeout=5)
    assert refused.status_code == 405
    [seen] = broker.forbidden_requests
    assert (seen.method, seen.path) == ("POST", "/v2/orders")
