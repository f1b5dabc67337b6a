"""Dagster: from its start to a page that answers, and a night without news."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, table
from benchmarks.machine import description
from benchmarks.server import BenchmarkError, Server
from tests.support.dagster_dev import ask, dev
from tests.support.paths import ROOT, SAMPLE

DATABASE = "orchestrated"
NIGHT = (
    *("job", "execute", "-j", "nightly_stats"),
    *("--tags", '{"dagster/partition": "2025-03-10"}'),
)

#: Answered only once the code location is loaded.
ASSETS = "{ assetNodes { id } }"


def measure(server: Server, repeats: int) -> list[str]:
    """Measure on the bundled sample; the figures as Markdown."""
    connection = server.connect("postgres")
    machine = description(connection)
    connection.close()
    server.recreate(DATABASE)
    home = server.folder / "dagster"
    try:
        server.run(DATABASE, "excursion", "replay", str(SAMPLE))
        starts = [_start(server, home) for _ in range(repeats)]
        nights = [_night(server, home) for _ in range(repeats + 1)]
    finally:
        server.drop(DATABASE)
    return [
        f"{machine}. Medians of {repeats}, on the bundled sample.",
        "",
        *table(
            [
                Figure("`make dev` to a page that lists the assets", _s(starts), ""),
                Figure("the first night, which builds everything", _s(nights[:1]), ""),
                Figure("a night without news, by command", _s(nights[1:]), ""),
            ]
        ),
    ]


def _s(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} s"


def _environment(server: Server, home: Path) -> dict[str, str]:
    return {**server.environment(DATABASE), "DAGSTER_HOME": str(home)}


def _start(server: Server, home: Path) -> float:
    started = time.monotonic()
    try:
        with dev(_environment(server, home), server.folder / "dev.log") as address:
            while not ask(address, ASSETS)["assetNodes"]:
                time.sleep(0.1)
            return time.monotonic() - started
    except AssertionError as error:
        raise BenchmarkError(f"`make dev` did not come up: {error}") from None


def _night(server: Server, home: Path) -> float:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *NIGHT, "-m", "orchestration.definitions"],
        cwd=ROOT,
        env=_environment(server, home),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchmarkError(f"the night failed: {done.stderr.strip()[-2000:]}")
    return time.monotonic() - started
