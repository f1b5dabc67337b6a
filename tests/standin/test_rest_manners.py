"""REST's manners: methods, limits, wrong, late and missing answers."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from standin import Alpaca
from tests.support.clients import raw, rest


def get(alpaca: Alpaca, path: str, **query: Any) -> Any:
    return rest(alpaca).get(path, query)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "PUT"])
def test_nothing_but_get_is_answered_and_it_is_remembered(
    alpaca: Alpaca, method: str
) -> None:
    assert raw(alpaca, "/v2/orders", method).status_code == 405
    assert raw(alpaca, "/v2/orders/some-id", method).status_code == 405
    assert [r.method for r in alpaca.forbidden_requests] == [method, method]
    assert alpaca.state()["forbidden_requests"] == 2


def test_requests_are_remembered(alpaca: Alpaca) -> None:
    get(alpaca, "/orders", status="all")
    (request,) = alpaca.requests
    assert (request.method, request.path, request.account, request.status) == (
        "GET",
        "/v2/orders",
        "main",
        200,
    )
    assert request.query == {"status": "all"} and not alpaca.forbidden_requests


def test_the_rate_limit_is_stated_and_enforced_on_demand(alpaca: Alpaca) -> None:
    headers = raw(alpaca, "/v2/account").headers
    assert headers["X-RateLimit-Limit"] == "200"
    assert headers["X-RateLimit-Remaining"] == "199"
    assert abs(int(headers["X-RateLimit-Reset"]) - time.time() - 60) < 5
    alpaca.faults.rest.rate_limit = 2
    answers = [raw(alpaca, "/v2/account").status_code for _ in range(2)]
    alpaca.faults.rest.enforce_rate_limit = True
    answers.append(raw(alpaca, "/v2/account").status_code)
    assert answers == [200, 200, 429]


def test_wrong_answers_are_given_as_often_as_asked(alpaca: Alpaca) -> None:
    rest_faults = alpaca.faults.rest
    rest_faults.fail(429, times=2, retry_after=1.5, path="/v2/orders")
    rest_faults.fail(502)
    first = raw(alpaca, "/v2/orders")
    assert (first.status_code, first.headers["Retry-After"]) == (429, "1.5")
    bad = raw(alpaca, "/v2/account")
    assert bad.status_code == 502 and bad.text.startswith("<html>")
    assert bad.headers["Content-Type"].startswith("text/html")
    statuses = [raw(alpaca, "/v2/orders").status_code for _ in range(2)]
    assert statuses == [429, 200]


def test_answers_may_be_late_missing_or_cut_off(alpaca: Alpaca) -> None:
    alpaca.faults.rest.fail(delay=0.2)
    started = time.monotonic()
    assert raw(alpaca, "/v2/account").status_code == 200
    assert time.monotonic() - started > 0.2
    alpaca.faults.rest.fail(how="never")
    with pytest.raises(requests.ReadTimeout):
        raw(alpaca, "/v2/account")
    alpaca.faults.rest.fail(how="reset")
    with pytest.raises(requests.ConnectionError):
        raw(alpaca, "/v2/account")
    assert raw(alpaca, "/v2/account").status_code == 200


def test_what_is_not_there_is_not_found(alpaca: Alpaca) -> None:
    for path in ("/v2/orders/none", "/v2/positions/NONE", "/v2/nothing"):
        assert raw(alpaca, path).status_code == 404
