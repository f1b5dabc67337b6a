"""Measure speed and memory: ``python -m benchmarks`` (``make bench``)."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from benchmarks import (
    derived,
    halves,
    nightly,
    orchestration,
    plot,
    replaying,
    report,
    storage,
)
from benchmarks.machine import description
from benchmarks.server import BenchmarkError, Server, running_server
from benchmarks.sizes import SIZES, Size
from ingest.errors import ExcursionError
from ingest.generator import PLANS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "nightly-cost.png"

PARTS = ("replay", *derived.PARTS, "storage", "nightly", "dagster")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the project beside its rivals, and write"
        " docs/benchmarks.md. Fails on wrong results, never on time.",
    )
    parser.add_argument(
        "--sizes",
        default=",".join(SIZES),
        help=f"some of {','.join(SIZES)} (default: all)",
    )
    parser.add_argument(
        "--parts",
        default=",".join(PARTS),
        help=f"some of {','.join(PARTS)} (default: all)",
    )
    parser.add_argument(
        "--repeats", type=int, help="of each figure (default: 5 small, else 3)"
    )
    parser.add_argument("--no-page", action="store_true", help="only print")
    parser.add_argument(
        "--side-by-side",
        action="store_true",
        help="two parts at a time, without the page: only to find wrong results",
    )
    options = parser.parse_args(arguments)
    sizes, parts = options.sizes.split(","), options.parts.split(",")
    for known, named, what in ((SIZES, sizes, "size"), (PARTS, parts, "part")):
        if unknown := [name for name in named if name not in known]:
            parser.error(f"no {what} {unknown[0]!r}: {', '.join(known)}")
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    try:
        if options.side_by_side:
            return halves.run(options.sizes, parts, options.repeats)
        with running_server() as server:
            _require_disk(server.folder, max(SIZES[name].disk for name in sizes))
            for name in sizes:
                _measure(server, SIZES[name], parts, options)
    except (BenchmarkError, ExcursionError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 130
    return 0


def _measure(
    server: Server, size: Size, parts: list[str], options: argparse.Namespace
) -> None:
    print(f"{size.name}: {size.duration} where all parts are measured", flush=True)
    progress = _Progress()

    def tell(section: str, lines: list[str], *, on_page: bool = True) -> None:
        print("\n".join(["", *lines, ""]), flush=True)
        if on_page and not options.no_page:
            report.put(PAGE, section, lines)

    repeats = options.repeats or size.repeats
    if "replay" in parts and size.replay_repeats:
        rounds = options.repeats or size.replay_repeats
        tell(size.name, replaying.measure(server, size, rounds, progress))
    chosen = [part for part in derived.PARTS if part in parts]
    if chosen:
        lines = derived.measure(server, size, chosen, repeats, progress)
        # A page without some of its tables would look as if they were not measured.
        is_whole = len(chosen) == len(derived.PARTS)
        tell(f"rivals {size.name}", lines, on_page=is_whole)
    is_medium = size.name == "medium"
    if "storage" in parts and size.name in nightly.HISTORIES:
        progress("storage")
        lines = storage.report(server, PLANS[size.name])
        tell("storage", lines, on_page=is_medium)
    if "nightly" in parts and size.name in nightly.HISTORIES:
        progress("nightly")
        connection = server.connect("postgres")
        machine = description(connection)
        connection.close()
        steps = nightly.measure(server, size.name)
        tell("nightly", [f"{machine}.", "", *nightly.lines(steps)], on_page=is_medium)
        if is_medium and not options.no_page:
            plot.draw(steps, PLOT)
    if "dagster" in parts and is_medium:
        progress("dagster")
        tell("dagster", orchestration.measure(server, repeats))


class _Progress:
    """One line a step, with the time since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, step: str) -> None:
        print(f"  {time.monotonic() - self._started:6.0f} s  {step}", flush=True)


def _require_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchmarkError(
            f"{needed / 1e9:.0f} GB of disk are needed in {folder.parent}, and"
            f" {free / 1e9:.0f} GB are free: set TMPDIR to another folder"
        )


if __name__ == "__main__":
    sys.exit(main())
