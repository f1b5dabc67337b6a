"""Whatever REST answers, the streams record on, and what it tells arrives later."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from standin import Alpaca, running
from standin.rest import Request
from tests.support.ingester import Ingester, Zygote, eventually, ingesting
from tests.support.postgres import Database

MAIN = {"main": ("PKMAIN0001", "a-secret-of-main")}
QUICK = "tests.support.quick_plan:install"
FILLS = "select count(*) from raw.fills"


def account(daemon: Ingester) -> dict[str, Any]:
    found: dict[str, Any] = daemon.status()["accounts"][0]
    return found


def trading(alpaca: Alpaca) -> list[Request]:
    """Requests of the account's own client."""
    return [
        request
        for request in alpaca.requests
        if request.path.startswith("/v2/") and "snapshots" not in request.path
    ]


def caught_up(daemon: Ingester) -> bool:
    return account(daemon)["last_catchup_at"] is not None


ANSWERS: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "500_html": {"status": 500},
    "502_html": {"status": 502},
    "never": {"how": "never"},
    "reset": {"how": "reset"},
    "200_html": {"status": 200, "body": "<html>maintenance</html>"},
    "200_null": {"status": 200, "body": "null"},
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_stream_goes_on_and_rest_comes_back(
    answer: str, zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.faults.rest.fail(**ANSWERS[answer], times=None)
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN, plan=QUICK,
            ingest={"request_timeout_seconds": 0.3},
        ) as daemon:  # fmt: skip
            alpaca.execute("main", "SPY", "buy", 10, "431.25")
            alpaca.execute("main", "SPY", "buy", 10, "431.5", on_stream=False)
            eventually(lambda: database.query(FILLS), [(1,)])
            eventually(
                lambda: any(
                    alarm["kind"] == "catchup_stale"
                    for alarm in daemon.status()["alarms"]
                )
            )
            status, body = daemon.get("/readyz")
            assert status == 503 and "main was not caught up yet" in body

            alpaca.faults.reset()
            eventually(lambda: database.query(FILLS), [(2,)])
            eventually(lambda: caught_up(daemon))
            assert account(daemon)["catchup_problem"] is None
            assert not database.query("select * from raw.quarantine")
            assert daemon.stop() == 0
        assert not alpaca.forbidden_requests


def test_a_few_refusals_are_sat_out(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.execute("main", "SPY", "buy", 10, "431.25")
        alpaca.faults.rest.fail(429, retry_after=2, times=1, path="/v2/clock")
        alpaca.faults.rest.fail(429, times=2, path="/v2/account/activities")
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN) as daemon:
            eventually(lambda: database.query(FILLS), [(1,)])
            assert not daemon.logs("catchup_failed")
            assert daemon.stop() == 0
        refused, again, *_ = [r for r in trading(alpaca) if r.path == "/v2/clock"]
        assert refused.status == 429 and again.status == 200
        assert 2 <= (again.at - refused.at).total_seconds() < 5
        first, second, third, *_ = [r for r in trading(alpaca) if "activ" in r.path]
        assert (first.status, second.status, third.status) == (429, 429, 200)
        # A back-off that grows.
        assert (second.at - first.at).total_seconds() >= 1
        assert 2 <= (third.at - second.at).total_seconds() < 5


def test_endless_refusals_are_not_answered_with_a_storm(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    with running(accounts=MAIN) as alpaca:
        alpaca.faults.rest.fail(429, times=None)
        with ingesting(zygote, database, alpaca, tmp_path, accounts=MAIN):
            eventually(lambda: len(trading(alpaca)), 5, timeout=20)
        times = [request.at for request in trading(alpaca)]
        gaps = [
            (later - earlier).total_seconds()
            for earlier, later in itertools.pairwise(times)
        ]
        assert gaps[0] >= 1 and gaps[1] >= 2 and gaps[2] >= 4


def test_the_rate_limit_is_kept(
    zygote: Zygote, database: Database, tmp_path: Path
) -> None:
    limit = 25
    with running(accounts=MAIN) as alpaca:
        alpaca.faults.rest.rate_limit = limit
        alpaca.faults.rest.enforce_rate_limit = True
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN,
            ingest={"requests_per_minute": limit},
        ) as daemon:  # fmt: skip
            eventually(lambda: len(trading(alpaca)), limit)
            # The stream records on while the next request waits for its minute.
            alpaca.execute("main", "SPY", "buy", 10, "431.25")
            eventually(lambda: database.query(FILLS), [(1,)])
            assert daemon.stop() == 0
        assert len(trading(alpaca)) == limit
        assert {request.status for request in trading(alpaca)} == {200}


def never(alpaca: Alpaca) -> None:
    alpaca.faults.rest.fail(how="never", times=None)


def refused(alpaca: Alpaca) -> None:
    alpaca.faults.rest.fail(429, retry_after=60, times=None)


def failing(alpaca: Alpaca) -> None:
    alpaca.faults.rest.fail(500, times=None)


@pytest.mark.parametrize("fault", [never, refused, failing])
def test_it_ends_in_time_while_rest_hangs(
    fault: Callable[[Alpaca], None],
    zygote: Zygote,
    database: Database,
    tmp_path: Path,
) -> None:
    with running(accounts=MAIN) as alpaca:
        fault(alpaca)
        with ingesting(
            zygote, database, alpaca, tmp_path, accounts=MAIN,
            ingest={"request_timeout_seconds": 60},
        ) as daemon:  # fmt: skip
            alpaca.execute("main", "SPY", "buy", 10, "431.25")
            eventually(lambda: database.query(FILLS), [(1,)])
            assert daemon.stop() == 0
