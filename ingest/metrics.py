"""The daemon's State as Prometheus metrics, all named ``excursion_...``.

Nothing is copied while the daemon works: a scrape reads the State. Only the latency
of commits, a distribution, is counted here. docs/operating.md lists them all.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ingest import __version__
from ingest.alarms import Limits, age, alarms
from ingest.state import State

#: Seconds from a message's arrival to its commit; upper bounds.
LATENCY_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Rows = Iterable[tuple[tuple[str, ...], float]]


class Latency:
    """How long commits took, in buckets; several observations cost as much as one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(LATENCY_BUCKETS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float, count: int = 1) -> None:
        # A clock that was set back; never a negative duration.
        seconds = max(0.0, seconds)
        index = bisect_left(LATENCY_BUCKETS, seconds)
        with self._lock:
            self._counts[index] += count
            self._sum += seconds * count

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative counts by upper bound, and the sum in seconds."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets, running = [], 0
        bounds = [*(str(bound) for bound in LATENCY_BUCKETS), "+Inf"]
        for bound, count in zip(bounds, counts, strict=True):
            running += count
            buckets.append((bound, float(running)))
        return buckets, total


class Metrics(Collector):
    """Metrics over a State, in a registry of their own."""

    def __init__(self, state: State, limits: Limits | None = None) -> None:
        self._state = state
        self._limits = limits or Limits()
        self._latency = Latency()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def observe_latency(self, seconds: float, count: int = 1) -> None:
        """``count`` messages were committed this long after they had been received."""
        self._latency.observe(seconds, count)

    def render(self) -> bytes:
        """The exposition text; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_process()
        yield from self._of_messages()
        yield from self._of_streams()
        yield from self._of_accounts()

    def _of_the_process(self) -> Iterator[Metric]:
        state, spool = self._state, self._state.spool
        info = {(__version__,): 1.0}
        yield _gauge("info", "The running version.", info.items(), "version")
        started_at = state.started_at.timestamp()
        yield _value("start_time_seconds", "Start, in Unix time.", started_at)
        n_alarms = len(alarms(state, self._limits))
        yield _value("alarms", "What a person should look at; /status.", n_alarms)
        silence = max(0.0, time.monotonic() - state.loop_seen_at)
        yield _value("loop_age_seconds", "Seconds since the loop last ran.", silence)
        depth = spool.depth_bytes
        yield _value("spool_depth_bytes", "Received, not yet committed.", depth)
        yield _value(
            "spool_limit_bytes", "Depth at which intake waits.", spool.limit_bytes
        )
        yield _value("spool_full", "1 while intake waits.", spool.is_full)
        damaged = {(): float(spool.damaged_tails)}.items()
        yield _counter(
            "spool_damaged_tails", "Torn last lines, after crashes.", damaged
        )
        is_up = state.database_problem is None
        yield _value("database_up", "1 while the writer commits.", is_up)
        said = "Seconds since the last commit; absent before the first."
        since = _ages([((), age(state.last_commit_at))])
        yield _gauge("last_commit_age_seconds", said, since)
        said = "Seconds from a message's arrival to its commit."
        name = "excursion_commit_latency_seconds"
        buckets, total = self._latency.read()
        yield HistogramMetricFamily(name, said, buckets=buckets, sum_value=total)

    def _of_messages(self) -> Iterator[Metric]:
        # dict() copies in one step, whatever the other threads do.
        state = self._state
        tally = dict(state.tally)
        received = dict(state.received).items()
        said = "Messages received."
        yield _counter("events_received", said, received, "channel", "account")
        for outcome, said in (
            ("written", "Facts written to the database."),
            ("duplicate", "Facts that were known already."),
        ):
            rows = [
                ((kind,), n) for (kind, what), n in tally.items() if what == outcome
            ]
            yield _counter(f"facts_{outcome}", said, rows, "kind")
        skipped = {(): float(tally.get(("message", "skipped"), 0))}.items()
        yield _counter("messages_skipped", "Messages that state no fact.", skipped)
        reasons = [((code,), n) for code, n in dict(state.quarantined).items()]
        said = "Messages set aside in raw.quarantine."
        yield _counter("messages_quarantined", said, reasons, "reason")
        thinned = [((channel,), n) for channel, n in dict(state.thinned).items()]
        yield _counter("quotes_thinned", "Quotes left out.", thinned, "channel")
        requests = dict(state.requests).items()
        said = "REST requests; outcome: HTTP status, timeout or error."
        yield _counter("requests", said, requests, "account", "outcome")

    def _of_streams(self) -> Iterator[Metric]:
        streams = [
            ((stream.name, stream.account_name or ""), stream)
            for stream in dict(self._state.streams).values()
        ]
        names = ("stream", "account")
        live = [(who, float(stream.is_live)) for who, stream in streams]
        yield _gauge("stream_live", "1 while it delivers.", live, *names)
        wanted = [(who, float(stream.is_wanted)) for who, stream in streams]
        yield _gauge("stream_wanted", "1 while it has to be live.", wanted, *names)
        since = _ages((who, age(stream.last_event_at)) for who, stream in streams)
        said = "Seconds since its last event; absent before the first."
        yield _gauge("stream_last_event_age_seconds", said, since, *names)
        restarts = [(who, float(stream.restarts)) for who, stream in streams]
        yield _counter("stream_restarts", "Connections begun anew.", restarts, *names)
        symbols = [(who, float(stream.symbols)) for who, stream in streams]
        yield _gauge("stream_symbols", "Symbols subscribed.", symbols, *names)

    def _of_accounts(self) -> Iterator[Metric]:
        accounts = [
            ((account.name,), account)
            for account in dict(self._state.accounts).values()
        ]
        since = _ages((who, age(account.last_catchup_at)) for who, account in accounts)
        said = "Seconds since the last catch-up that worked; absent before the first."
        yield _gauge("catchup_age_seconds", said, since, "account")
        mismatches = [(who, float(account.mismatches)) for who, account in accounts]
        said = "Symbols whose position differs from the broker's."
        yield _gauge("reconciliation_mismatches", said, mismatches, "account")
        holes = [(who, float(account.holes)) for who, account in accounts]
        yield _gauge("order_holes", "Orders lacking an execution.", holes, "account")
        missed = [(who, float(account.missed_by_stream)) for who, account in accounts]
        said = "Executions that only REST told of."
        yield _counter("missed_by_stream", said, missed, "account")


def _ages(
    rows: Iterable[tuple[tuple[str, ...], float | None]],
) -> list[tuple[tuple[str, ...], float]]:
    return [(who, seconds) for who, seconds in rows if seconds is not None]


def _value(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"excursion_{name}", said, value=float(value))


def _gauge(name: str, said: str, rows: Rows, *labels: str) -> Metric:
    family = GaugeMetricFamily(f"excursion_{name}", said, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _counter(name: str, said: str, rows: Rows, *labels: str) -> Metric:
    family = CounterMetricFamily(f"excursion_{name}", said, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family
