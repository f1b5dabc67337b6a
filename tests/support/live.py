"""What tests of the running daemon look at: its metrics, its rounds, its tables."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from standin import Alpaca, running
from tests.support.ingester import Ingester, eventually
from tests.support.postgres import Database

LISTENING = '{"stream": "listening", "data": {"streams": ["trade_updates"]}}'
#: Seconds after which a difference that lasts has become an incident in these tests.
GRACE = 1.5
METRIC = re.compile(r"(\w+?)(?:\{(.*)\})? (\S+)")


@contextmanager
def observed(**options: Any) -> Iterator[Alpaca]:
    """A stand-in with the account ``main``; nobody may send it more than questions."""
    with running(accounts={"main": ("key", "secret")}, **options) as alpaca:
        yield alpaca
        assert alpaca.requests, "nothing was asked: the test looked at no daemon"
        assert not alpaca.forbidden_requests


def metric(daemon: Ingester, name: str, **labels: str) -> float:
    """A value of /metrics, without its prefix ``excursion_``; 0 where it is absent."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    total = 0.0
    for line in daemon.get("/metrics")[1].splitlines():
        match = METRIC.fullmatch(line)
        if match and match[1] == f"excursion_{name}":
            total += float(match[3]) if wanted <= set(_labels(match[2])) else 0.0
    return total


def _labels(text: str | None) -> list[str]:
    return re.findall(r'\w+="[^"]*"', text or "")


def asked(alpaca: Alpaca, path: str, **query: str) -> int:
    """How many requests of a path there were, with these parameters among theirs."""
    return sum(
        request.path == path and query.items() <= request.query.items()
        for request in alpaca.requests
    )


def poke(alpaca: Alpaca) -> None:
    """Acknowledge the subscription once more: the daemon catches up at once."""
    alpaca.push_raw("main", LISTENING)


def after_rounds(alpaca: Alpaca, count: int = 1, seconds: float = 0) -> None:
    """Wait for so many more rounds of catch-up and comparison, and so long at least.

    Longer than the grace period, with several looks, is when an incident would be told.
    """
    begun = time.monotonic()
    for _ in range(count):
        _after_round(alpaca)
    while time.monotonic() - begun < seconds:
        time.sleep(0.2)
        _after_round(alpaca)


def _after_round(alpaca: Alpaca) -> None:
    # The round under way does not count; the next one ended when another begins.
    wanted = asked(alpaca, "/v2/clock") + 2
    soon(alpaca, lambda: asked(alpaca, "/v2/clock") >= wanted)


def soon(
    alpaca: Alpaca, look: Callable[[], Any], wanted: Any = True, timeout: float = 30
) -> None:
    """Like ``eventually``, while the daemon is made to ask REST again and again."""
    pokes = itertools.count()

    def poked() -> Any:
        if next(pokes) % 2 == 0:
            poke(alpaca)
        return look()

    eventually(poked, wanted, timeout)


def is_reconciled(folder: Path) -> bool:
    """Whether the account was found in order once since it was first recorded."""
    path = folder / "state" / "spool" / "progress-main.json"
    return path.exists() and json.loads(path.read_text())["is_reconciled"]


def executions(database: Database) -> list[tuple[Any, ...]]:
    """What was executed: symbol, side, quantity, price, running total."""
    return database.query(
        "select symbol, side, qty::text, price::text, trim_scale(cum_qty)::text"
        " from raw.fills where kind = 'fill' order by symbol, order_id, cum_qty"
    )


def count(database: Database, table: str = "fills") -> int:
    [(found,)] = database.query(f"select count(*) from raw.{table}")  # noqa: S608
    return int(found)


def quarantined(database: Database) -> list[str]:
    """The reason codes of what was set aside, sorted."""
    rows = database.query("select reason_code from raw.quarantine order by 1")
    return [code for (code,) in rows]


def incidents(database: Database) -> list[tuple[Any, ...]]:
    """What the comparison with the broker found: code, symbol, message."""
    return database.query(
        "select reason_code, message::jsonb -> 'msg' ->> 'symbol', reason"
        " from raw.quarantine where source = 'reconcile' order by 1, 2"
    )


def held(database: Database) -> dict[str, str]:
    """The position of each symbol as the fills make it, by plain summing."""
    return dict(
        database.query(
            "select symbol, trim_scale(sum("
            "  case side when 'buy' then qty else -qty end))::text"
            " from raw.fills where kind <> 'bust' and superseded_by is null"
            " group by symbol"
        )
    )
