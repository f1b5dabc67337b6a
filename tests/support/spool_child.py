"""A process that uses a spool until it is killed, or kills itself at a planned step.

Arguments: the spool's folder, a file for what it knows, the first line's number, and
optionally ``<call>:<when>:<n>``: the n-th call of that function of os, ``before``,
``after`` or ``half`` (a write of the first half).
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ingest.spool import Spool


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def plan(step: str) -> None:
    call, when, nth = step.split(":")
    original: Callable[..., Any] = getattr(os, call)
    numbers = itertools.count(1)

    def planned(*arguments: Any, **options: Any) -> Any:
        is_it = next(numbers) == int(nth)  # whichever thread it is
        if is_it and when == "before":
            die()
        if is_it and when == "half":
            descriptor, data, offset = arguments
            original(descriptor, data[: len(data) // 2], offset)
            die()
        result = original(*arguments, **options)
        if is_it:
            die()
        return result

    setattr(os, call, planned)


def main() -> None:
    folder, knows, first = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    if len(sys.argv) > 4:
        plan(sys.argv[4])
    report = os.open(knows, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    # "saved" stands for the database, "done" for what the cursor was told.
    with Spool(folder, commit_seconds=0.002, segment_bytes=3000) as spool:
        number = first
        deadline = time.monotonic() + 20
        for turn in itertools.count(1):
            if time.monotonic() > deadline:
                return
            for _ in range(9):
                spool.append(b"%d %b\n" % (number, b"x" * (number * 7 % 90)))
                number += 1
            if turn % 4 == 0:
                time.sleep(0.001)
            elif turn % 4 == 1 and spool.flush(5):
                os.write(report, b"durable %d\n" % (number - 1))
            batch = spool.read(700, 0.001)
            if batch is None:
                continue
            last = int(batch.lines[-1].split()[0])
            os.write(report, b"saved %d\n" % last)
            if turn % 3:
                spool.done(batch.end)
                os.write(report, b"done %d\n" % last)
            else:
                spool.rewind()


if __name__ == "__main__":
    main()
