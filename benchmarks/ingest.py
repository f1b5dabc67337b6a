"""Measure live recording: ``python -m benchmarks.ingest`` (``make bench-ingest``)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import live, report, writer
from benchmarks.server import BenchmarkError
from ingest.errors import ExcursionError

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest",
        description="Measure the daemon and its writer, and write docs/benchmarks.md.",
    )
    parser.add_argument("--no-page", action="store_true", help="only print")
    options = parser.parse_args(arguments)
    try:
        for name, lines in (
            ("live", live.run(marks=2_000_000, paced=300_000)),
            ("writer", writer.run(count=1_000_000, rounds=3)),
        ):
            print("\n".join(lines))
            if not options.no_page:
                report.put(PAGE, name, lines)
    except (BenchmarkError, ExcursionError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
