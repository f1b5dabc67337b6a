"""`make dev`, started for real and gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.support.paths import ROOT

#: Seconds until the page must be there: ten times what it takes.
PATIENCE = 120.0


@contextmanager
def dev(environment: dict[str, str], log: Path) -> Iterator[str]:
    """A `make dev` that answers, in a process group of its own, gone afterwards."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "scripts/dev.py", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            await_page(address, process, log)
            yield address
        finally:
            stop(process)


def await_page(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(address).close()
        except URLError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"no page at {address}:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, and then the whole group: children outlive an impatient parent."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ask(address: str, query: str) -> Any:
    body = json.dumps({"query": query}).encode()
    headers = {"content-type": "application/json"}
    request = Request(f"{address}graphql", body, headers)
    with urlopen(request) as response:
        return json.load(response)["data"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
