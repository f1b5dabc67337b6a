"""The real daemon, in a process of its own, against a stand-in and a real Postgres."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin import Alpaca
from tests.support.paths import ROOT
from tests.support.postgres import Database, scrub

#: Settings of the daemon that let a test see in seconds what takes a trader a minute.
QUICK = {
    "catchup_seconds": 1,
    "commit_ms": 20,
    "connect_seconds": 2,
    "ping_seconds": 1,
    "grace_seconds": 1,
    "request_timeout_seconds": 1,
    "requests_per_minute": 10_000,
}


class Zygote:
    """Forks daemons from a process that has imported everything (zygote.py)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=scrub(dict(os.environ)),
        )
        self._pids: queue.Queue[int] = queue.Queue()
        self._statuses: dict[int, int] = {}
        self._ended = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self,
        arguments: list[str],
        environ: Mapping[str, str],
        log: Path,
        plan: str | None = None,
    ) -> int:
        """Start the program; returns its process id."""
        order = {
            "arguments": arguments, "environ": dict(environ), "log": str(log),
            "plan": plan,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self._pids.get(timeout=30)

    def wait(self, pid: int, timeout: float) -> int | None:
        """The exit status; None where it still runs after ``timeout`` seconds."""
        with self._ended:
            self._ended.wait_for(lambda: pid in self._statuses, timeout)
            return self._statuses.get(pid)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "status" in said:
                with self._ended:
                    self._statuses[said["pid"]] = said["status"]
                    self._ended.notify_all()
            else:
                # A number comes again: what its last bearer ended with is not news.
                with self._ended:
                    self._statuses.pop(said["pid"], None)
                self._pids.put(said["pid"])


@dataclass
class Ingester:
    """A daemon that runs, or ran."""

    zygote: Zygote
    pid: int
    log: Path
    environ: dict[str, str] = field(repr=False)

    def logs(self, action: str | None = None) -> list[dict[str, Any]]:
        """Its log lines so far, of one action."""
        if not self.log.exists():
            return []
        lines = [
            json.loads(line)
            for line in self.log.read_text().splitlines()
            if line.startswith("{")
        ]
        return [line for line in lines if action in (None, line.get("action"))]

    @property
    def text(self) -> str:
        return self.log.read_text()

    @property
    def is_running(self) -> bool:
        return self.zygote.wait(self.pid, 0) is None

    def url(self, path: str) -> str:
        [started] = self.logs("started")[-1:]
        return f"http://127.0.0.1:{started['http_port']}{path}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of the health server's answer."""
        try:
            with urllib.request.urlopen(self.url(path), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def status(self) -> dict[str, Any]:
        """/status as JSON."""
        found: dict[str, Any] = json.loads(self.get("/status")[1])
        return found

    def stop(self, timeout: float = 10) -> int:
        """SIGTERM; the exit status, which must come within ``timeout`` seconds."""
        os.kill(self.pid, signal.SIGTERM)
        status = self.zygote.wait(self.pid, timeout)
        assert status is not None, f"still running {timeout} s after SIGTERM"
        return status

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.is_running:
            os.kill(self.pid, signal.SIGKILL)
        assert self.zygote.wait(self.pid, 10) is not None

    def wait(self, timeout: float = 10) -> int:
        """The exit status of a daemon that ends by itself."""
        status = self.zygote.wait(self.pid, timeout)
        assert status is not None, f"still running after {timeout} s"
        return status


def settings_toml(
    alpaca: Alpaca,
    accounts: Mapping[str, tuple[str, str]],
    market_data: Mapping[str, Any] | None = None,
    ingest: Mapping[str, Any] | None = None,
) -> str:
    """An excursion.toml that points at the stand-in."""

    def table(name: str, values: Mapping[str, Any]) -> str:
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        return "\n".join([f"[{name}]", *lines, ""])

    parts = [
        table(
            f"accounts.{name}",
            {
                "key_id": key,
                "secret_key": secret,
                "trading_url": alpaca.url,
                "stream_url": alpaca.stream_url,
            },
        )
        for name, (key, secret) in accounts.items()
    ]
    urls = {
        "stock_url": alpaca.data_url("iex"),
        "option_url": alpaca.data_url("indicative"),
        "crypto_url": alpaca.data_url("crypto"),
        "rest_url": alpaca.url,
        "quotes": "all",
    }
    parts.append(table("market_data", {**urls, **(market_data or {})}))
    parts.append(table("ingest", {**QUICK, "http_port": 0, **(ingest or {})}))
    return "\n".join(parts)


@contextmanager
def ingesting(
    zygote: Zygote,
    database: Database,
    alpaca: Alpaca,
    folder: Path,
    *,
    accounts: Mapping[str, tuple[str, str]] | None = None,
    market_data: Mapping[str, Any] | None = None,
    ingest: Mapping[str, Any] | None = None,
    plan: str | None = None,
    live: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Ingester]:
    """Run the daemon for the length of a block; killed if the block did not end it.

    The same ``folder`` again is a restart: spool and progress are there. ``live``:
    wait until the accounts' streams are live.
    """
    told = accounts or {"main": ("key", "secret")}
    config = folder / "excursion.toml"
    config.write_text(settings_toml(alpaca, told, market_data, ingest))
    variables = database.environment(
        EXCURSION_CONFIG=str(config),
        EXCURSION_STATE_DIR=str(folder / "state"),
        PWD=str(ROOT),
        **(environ or {}),
    )
    log = folder / f"log-{time.monotonic_ns()}.jsonl"
    pid = zygote.start(["ingest"], variables, log, plan)
    running = Ingester(zygote, pid, log, variables)
    try:
        if live:
            alpaca.wait_live(*told)
        yield running
    finally:
        running.kill()


def eventually(
    look: Callable[[], Any],
    wanted: Any = True,
    timeout: float = 15,
    *,
    pause: float = 0.05,
) -> None:
    """Until ``look()`` equals ``wanted`` (or is true); fails with the last value.

    ``pause``: seconds between two looks.
    """
    deadline = time.monotonic() + timeout
    found = None
    while time.monotonic() < deadline:
        found = look()
        if found == wanted or (wanted is True and found):
            return
        time.sleep(pause)
    raise AssertionError(f"after {timeout:g} s it is still {found!r}, not {wanted!r}")
