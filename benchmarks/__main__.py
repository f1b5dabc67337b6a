"""Measure speed and memory: ``python -m benchmarks`` (``make bench``)."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.measure import DISK, measure
from benchmarks.server import BenchmarkError, running_server
from ingest.errors import ExcursionError

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"

#: Rounds of replay and COPY, unless told: a medium one takes minutes.
REPEATS = {"small": 3, "medium": 1}
DURATION = {"small": "about two minutes", "medium": "10 to 20 minutes"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure replay and dbt build, and write docs/benchmarks.md.",
    )
    parser.add_argument(
        "--sizes", default="small,medium", help="some of small,medium (default: both)"
    )
    parser.add_argument(
        "--repeats", type=int, help="rounds (default: small 3, medium 1)"
    )
    parser.add_argument("--no-page", action="store_true", help="only print")
    options = parser.parse_args(arguments)
    sizes = options.sizes.split(",")
    if unknown := [size for size in sizes if size not in REPEATS]:
        parser.error(f"no size {unknown[0]!r}: small or medium")
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    console = Console(highlight=False)
    try:
        with running_server() as server:
            _require_disk(server.folder, max(DISK[size] for size in sizes))
            for size in sizes:
                console.print(f"{size}: {DURATION[size]}")
                progress = _Progress(console)
                repeats = options.repeats or REPEATS[size]
                result = measure(server, size, repeats, progress)
                report.show(result, console)
                if not options.no_page:
                    report.write(result, PAGE)
    except (BenchmarkError, ExcursionError) as error:
        console.print(f"benchmarks: {error}", style="red", markup=False)
        return 1
    return 0


class _Progress:
    """One line a step, with the time since the start."""

    def __init__(self, console: Console) -> None:
        self._console, self._started = console, time.monotonic()

    def __call__(self, step: str) -> None:
        elapsed = time.monotonic() - self._started
        self._console.print(f"  {elapsed:6.0f} s  {step}")


def _require_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchmarkError(
            f"{needed / 1e9:.0f} GB of disk are needed in {folder.parent}, and"
            f" {free / 1e9:.0f} GB are free: set TMPDIR to another folder"
        )


if __name__ == "__main__":
    sys.exit(main())
