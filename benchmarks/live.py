"""Measure the running daemon: ``python -m benchmarks.live``.

The real `excursion ingest` listens with alpaca-py to a stand-in on loopback and writes
into a real PostgreSQL. Sender, daemon and server share this machine's cores.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgpack

from benchmarks.machine import description
from benchmarks.server import BenchmarkError, Server, running_server
from ingest.database import connect
from standin import Alpaca, running

PROGRAM = Path(sys.executable).parent / "excursion"
ACCOUNT = "main"
SYMBOLS = [f"S{number:03d}" for number in range(40)]
PER_FRAME = 50
FILLS_PER_SECOND = 50
START = 1_772_460_000  # 2026-03-02 14:00 UTC: marks carry made-up instants
BUCKET = re.compile(r'excursion_commit_latency_seconds_bucket\{le="([^"]+)"\} (\S+)')
DEPTH = re.compile(r"^excursion_spool_depth_bytes 0\.0$", re.MULTILINE)
RECEIVED = re.compile(
    r'^excursion_events_received_total\{[^}]*channel="stock_data"[^}]*\} (\S+)$',
    re.MULTILINE,
)
FLAT_FROM = 200_000


@dataclass
class Daemon:
    """A running `excursion ingest`."""

    process: subprocess.Popen[bytes]
    port: int
    memory: list[tuple[int, float]] = field(default_factory=list)

    def metrics(self) -> str:
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            body: bytes = answer.read()
        return body.decode()

    def buckets(self) -> list[tuple[float, float]]:
        """(upper bound in seconds, events so far at most that old at their commit)."""
        found = BUCKET.findall(self.metrics())
        return [(float(bound), float(count)) for bound, count in found]

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@dataclass
class Load:
    """What one stretch of sending came to."""

    marks: int
    fills: int
    seconds: float
    p50: float
    p99: float
    memory: list[tuple[int, float]]

    @property
    def rate(self) -> float:
        return self.marks / self.seconds

    @property
    def peak_mib(self) -> float:
        return max(mib for _, mib in self.memory)

    @property
    def growth_mib(self) -> float:
        """From the first 200,000 marks on: the end against what it was then."""
        early = [mib for marks, mib in self.memory if marks >= FLAT_FROM][:3]
        late = [mib for _, mib in self.memory][-3:]
        return min(late) - max(early) if early else 0.0


class Bench:
    """One daemon, one database, one broker."""

    def __init__(self, alpaca: Alpaca, daemon: Daemon, url: str) -> None:
        self.alpaca, self.daemon, self.url = alpaca, daemon, url
        self.sent = self.fills = 0

    def stored(self, table: str) -> int:
        with connect_to(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(f"select count(*) from raw.{table}")  # noqa: S608
            [(count,)] = cursor.fetchall()
        return int(count)

    def send(self, marks: int, rate: float | None) -> Load:
        """Send so many marks at ``rate`` a second (None: as fast as they are read)."""
        before, fills = self.daemon.buckets(), self.fills
        begun, sent = time.monotonic(), 0
        memory: list[tuple[int, float]] = []
        chunk = max(PER_FRAME, int((rate or 40_000) / 20) // PER_FRAME * PER_FRAME)
        next_look = 0.0
        while sent < marks:
            now = min(chunk, marks - sent)
            self.alpaca.push_packed("iex", list(self._frames(now)))
            sent += now
            elapsed = time.monotonic() - begun
            while (self.fills - fills) < elapsed * FILLS_PER_SECOND:
                symbol = SYMBOLS[self.fills % len(SYMBOLS)]
                self.alpaca.execute(ACCOUNT, symbol, "buy", 1, "100", announce=False)
                self.fills += 1
            if elapsed >= next_look:
                memory.append((sent, self.daemon.resident_mib()))
                next_look = elapsed + 1
            if rate and (ahead := sent / rate - (time.monotonic() - begun)) > 0:
                time.sleep(ahead)
        self._wait_until_stored()
        seconds = time.monotonic() - begun
        memory.append((sent, self.daemon.resident_mib()))
        after = self.daemon.buckets()
        counts = [
            (bound, later - earlier)
            for (bound, later), (_, earlier) in zip(after, before, strict=True)
        ]
        return Load(
            marks=marks,
            fills=self.fills - fills,
            seconds=seconds,
            p50=quantile(counts, 0.5),
            p99=quantile(counts, 0.99),
            memory=memory,
        )

    def _frames(self, count: int) -> Iterator[bytes]:
        """Quotes whose instants and prices differ, so that each is a row."""
        for first in range(self.sent, self.sent + count, PER_FRAME):
            yield msgpack.packb([quote(n) for n in range(first, first + PER_FRAME)])
        self.sent += count

    def _wait_until_stored(self) -> None:
        deadline = time.monotonic() + 300
        # Counting millions of rows takes a second: first wait until all of them were
        # received and the spool is empty.
        while time.monotonic() < deadline:
            told = self.daemon.metrics()
            received = RECEIVED.search(told)
            is_empty = DEPTH.search(told) is not None
            if received and float(received[1]) >= self.sent and is_empty:
                break
            time.sleep(0.02)
        stored, fills = self.stored("marks"), self.stored("fills")
        if (stored, fills) != (self.sent, self.fills):
            raise BenchmarkError(
                f"{self.sent:,} marks and {self.fills:,} fills were sent,"
                f" {stored:,} and {fills:,} are stored"
            )


def quote(number: int) -> dict[str, Any]:
    bid = 100 + number * 31 % 1009 / 100
    return {
        "T": "q",
        "S": SYMBOLS[number % len(SYMBOLS)],
        "bx": "V", "bp": bid, "bs": 3, "ax": "V", "ap": bid + 0.02, "as": 2,
        "c": ["R"], "z": "C",
        "t": msgpack.Timestamp(START + number // 5_000, number % 5_000 * 200_000),
    }  # fmt: skip


def quantile(counts: list[tuple[float, float]], part: float) -> float:
    """The upper bound of the bucket that a part of the events lies in, in seconds."""
    total = counts[-1][1]
    return next(bound for bound, count in counts if count >= part * total)


@contextmanager
def connect_to(url: str) -> Iterator[Any]:
    from ingest import config

    connection = connect(config.load({"DATABASE_URL": url}))
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def daemon(
    server: Server, alpaca: Alpaca, folder: Path, database: str
) -> Iterator[Daemon]:
    """The daemon as a user starts it, with every quote kept."""
    settings: dict[str, dict[str, Any]] = {
        f"accounts.{ACCOUNT}": {
            "key_id": "key", "secret_key": "secret",
            "trading_url": alpaca.url, "stream_url": alpaca.stream_url,
        },
        "market_data": {
            "stock_url": alpaca.data_url("iex"), "rest_url": alpaca.url,
            "quotes": "all", "watch": SYMBOLS, "max_stock_symbols": len(SYMBOLS),
        },
        "ingest": {"http_port": 0, "catchup_seconds": 60},
    }  # fmt: skip
    lines = [
        f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items())
        for name, table in settings.items()
    ]
    (folder / "excursion.toml").write_text("\n".join(lines))
    environ = {
        **server.environment(database),
        "EXCURSION_CONFIG": str(folder / "excursion.toml"),
        "EXCURSION_STATE_DIR": str(folder / "state"),
    }
    log = folder / "log.jsonl"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(PROGRAM), "ingest"], env=environ, stderr=output, stdout=output
        )
    try:
        alpaca.wait_live(ACCOUNT, "iex", timeout=30)
        [port] = re.findall(r'"http_port": ?(\d+)', log.read_text())
        yield Daemon(process, int(port))
    finally:
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=15) != 0:
            raise BenchmarkError(f"the daemon failed: {log.read_text()[-2000:]}")


def run(marks: int, paced: int) -> list[str]:
    """Latency at 5,000 marks/s, then as many as it takes; as lines of Markdown.

    Raises BenchmarkError where a mark or fill that was sent is not stored.
    """
    with (
        running_server() as server,
        TemporaryDirectory(prefix="excursion-bench-") as folder,
        running(accounts={ACCOUNT: ("key", "secret")}) as alpaca,
    ):
        server.recreate("live")
        server.run("live", "excursion", "migrate")
        with server.connect("live") as connection:
            machine = description(connection)
        with daemon(server, alpaca, Path(folder), "live") as running_daemon:
            bench = Bench(alpaca, running_daemon, server.url("live"))
            bench.send(20_000, 5_000)  # the first marks make partitions and plans
            loads = {
                "5,000 marks a second": bench.send(paced, 5_000),
                "as fast as they are read": bench.send(marks, None),
            }
    return [f"{machine}.", "", *_lines(loads)]


def _lines(loads: dict[str, Load]) -> list[str]:
    lines = [
        "| sent | marks | fills | marks/s | p50, ms | p99, ms | memory, MiB |"
        f" growth after {FLAT_FROM:,}, MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {load.marks:,} | {load.fills:,} | {load.rate:,.0f}"
        f" | <= {load.p50 * 1000:.0f} | <= {load.p99 * 1000:.0f}"
        f" | {load.peak_mib:.0f} | {load.growth_mib:+.0f} |"
        for name, load in loads.items()
    ]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--marks", type=int, default=2_000_000)
    parser.add_argument("--paced", type=int, default=300_000)
    options = parser.parse_args(arguments)
    try:
        print("\n".join(run(options.marks, options.paced)))
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
