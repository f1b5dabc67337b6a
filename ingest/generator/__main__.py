"""Write a recording: `python -m ingest.generator --plan sample --out FILE`."""

import argparse
import gzip
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from ingest.generator import PLANS, generate


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ingest.generator",
        description="Generate a recording; equal arguments give equal bytes.",
    )
    parser.add_argument("--plan", choices=sorted(PLANS), default="sample")
    parser.add_argument("--seed", type=int, help="another market (default: the plan's)")
    parser.add_argument(
        "--out", default="-", metavar="FILE|-", help="gzipped where it ends in .gz"
    )
    options = parser.parse_args(arguments)
    plan = PLANS[options.plan]
    if options.seed is not None:
        plan = plan.with_seed(options.seed)
    try:
        write(generate(plan), options.out)
    except BrokenPipeError:
        # The reader has left, as `head` does. Nobody is there for the last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        parser.exit(1, f"cannot write {options.out}: {error.strerror}\n")
    return 0


def write(lines: Iterable[bytes], out: str) -> None:
    """Write lines to a file, or to standard output for `-`."""
    if out == "-":
        _write_all(lines, sys.stdout.buffer)
        return
    with Path(out).open("wb") as file:
        if not out.endswith(".gz"):
            _write_all(lines, file)
            return
        # Without name and time in its header the file too is reproducible.
        with gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.writelines(lines)


def _write_all(lines: Iterable[bytes], file: IO[bytes]) -> None:
    file.writelines(lines)
    file.flush()


if __name__ == "__main__":
    sys.exit(main())
