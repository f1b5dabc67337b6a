"""Metrics are what the State says, in Prometheus' own format."""

from __future__ import annotations

import re
import sys
import threading
import time
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ingest.alarms import Limits
from ingest.metrics import LATENCY_BUCKETS, Metrics
from ingest.state import AccountState, State, StreamState, utc_now
from tests.support.paths import ROOT

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(metrics: Metrics) -> Samples:
    """Every sample by name and labels, as Prometheus' parser reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return scrape(metrics).get((f"excursion_{name}", tuple(sorted(labels.items()))))


def test_a_new_daemon_has_metrics() -> None:
    found = scrape(Metrics(State()))
    assert found["excursion_database_up", ()] == 0
    assert found["excursion_spool_full", ()] == 0
    assert found["process_resident_memory_bytes", ()] > 1e6
    assert all(name.startswith(("excursion_", "process_")) for name, _ in found)
    # What was never seen has no age, rather than a wrong one.
    assert ("excursion_last_commit_age_seconds", ()) not in found


def test_metrics_say_what_the_state_says() -> None:
    state = State(database_problem=None, last_commit_at=utc_now())
    stream = state.streams["trading:main"] = StreamState("trading:main", "main")
    stream.went_live()
    stream.last_event_at = utc_now() - timedelta(seconds=90)
    stream.restarts, stream.symbols = 3, 7
    state.streams["stock_data"] = StreamState("stock_data", is_wanted=False)
    account = state.accounts["main"] = AccountState("main")
    account.last_catchup_at = utc_now() - timedelta(seconds=20)
    account.mismatches, account.holes, account.missed_by_stream = 1, 2, 3
    state.received["trade_updates", "main"] = 5
    state.received["stock_data", ""] = 100
    state.tally.update({("fill", "written"): 4, ("fill", "duplicate"): 1})
    state.tally["message", "skipped"] = 9
    state.quarantined["not_json"] = 2
    state.thinned["stock_data"] = 60
    state.requests["main", "429"] = 8
    state.spool.depth_bytes, state.spool.limit_bytes = 1_000, 4_000
    state.spool.is_full, state.spool.damaged_tails = True, 1
    metrics = Metrics(state)

    trading = {"stream": "trading:main", "account": "main"}
    idle = {"stream": "stock_data", "account": ""}
    for name, labels, value in (
        ("events_received_total", {"channel": "trade_updates", "account": "main"}, 5),
        ("events_received_total", {"channel": "stock_data", "account": ""}, 100),
        ("facts_written_total", {"kind": "fill"}, 4),
        ("facts_duplicate_total", {"kind": "fill"}, 1),
        ("messages_skipped_total", {}, 9),
        ("messages_quarantined_total", {"reason": "not_json"}, 2),
        ("quotes_thinned_total", {"channel": "stock_data"}, 60),
        ("requests_total", {"account": "main", "outcome": "429"}, 8),
        ("spool_depth_bytes", {}, 1_000),
        ("spool_limit_bytes", {}, 4_000),
        ("spool_full", {}, 1),
        ("spool_damaged_tails_total", {}, 1),
        ("stream_live", trading, 1),
        ("stream_live", idle, 0),
        ("stream_wanted", trading, 1),
        ("stream_wanted", idle, 0),
        ("stream_restarts_total", trading, 3),
        ("stream_symbols", trading, 7),
        ("reconciliation_mismatches", {"account": "main"}, 1),
        ("order_holes", {"account": "main"}, 2),
        ("missed_by_stream_total", {"account": "main"}, 3),
        ("database_up", {}, 1),
        # The full spool, the mismatch and the incomplete orders.
        ("alarms", {}, 3),
    ):
        assert sample(metrics, name, **labels) == value, name
    for name, labels, seconds in (
        ("stream_last_event_age_seconds", trading, 90),
        ("catchup_age_seconds", {"account": "main"}, 20),
        ("last_commit_age_seconds", {}, 0),
    ):
        assert sample(metrics, name, **labels) == pytest.approx(seconds, abs=5), name


def test_late_is_what_the_limits_say() -> None:
    state = State(database_problem=None)
    state.streams["trading:main"] = StreamState("trading:main", "main")
    assert sample(Metrics(state), "alarms") == 0
    assert sample(Metrics(state, Limits(not_live=0)), "alarms") == 1


def test_latency_counts_many_at_once() -> None:
    metrics = Metrics(State())
    assert LATENCY_BUCKETS[0] == 0.01 and LATENCY_BUCKETS[-1] == 60
    metrics.observe_latency(0.02, 1_000_000)
    metrics.observe_latency(0.3)
    metrics.observe_latency(100, 2)
    metrics.observe_latency(-1)
    found = scrape(metrics)
    name = "excursion_commit_latency_seconds"
    at_most = {
        dict(labels)["le"]: value
        for (which, labels), value in found.items()
        if which == f"{name}_bucket"
    }
    assert at_most["0.01"] == 1
    assert at_most["0.025"] == at_most["0.2"] == 1_000_001
    assert at_most["0.3"] == at_most["60.0"] == 1_000_002
    assert at_most["+Inf"] == found[f"{name}_count", ()] == 1_000_004
    assert found[f"{name}_sum", ()] == pytest.approx(20_000 + 0.3 + 200)


def test_a_scrape_survives_what_other_threads_do() -> None:
    state = State()
    metrics = Metrics(state)
    stopping = threading.Event()

    def busy() -> None:
        n = 0
        while not stopping.is_set():
            n += 1
            state.received[f"channel {n % 1_000}", ""] += 1
            metrics.observe_latency(0.1, 2)
            if n % 1_000 == 0:
                state.received.clear()

    thread = threading.Thread(target=busy)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            metrics.render()
    finally:
        stopping.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_two_daemons_in_a_process_do_not_share_metrics() -> None:
    first, second = Metrics(State()), Metrics(State())
    first.observe_latency(1)
    assert sample(second, "commit_latency_seconds_count") == 0


def test_each_metric_is_documented() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"(?m)^\| `(excursion_\w+)` \| ([\w, ]*) ?\|", page))
    existing = {}
    for family in Metrics(State()).collect():
        suffix = "_total" if family.type == "counter" else ""
        existing[family.name + suffix] = ", ".join(
            getattr(family, "_labelnames", None) or ()
        )
    existing["excursion_commit_latency_seconds"] = "le"
    assert {name: said.strip() for name, said in documented.items()} == existing
