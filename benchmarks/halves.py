"""The parts in two processes side by side, to find wrong results in half the time."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks import derived

#: They take about equally long on the small size. Each has a server of its own.
HALVES = (("replay", "storage", "nightly", "dagster"), derived.PARTS)

WAIT_SECONDS = 0.2


def run(sizes: str, parts: Sequence[str], repeats: int | None) -> int:
    """What each half printed, one after the other; the status of one that failed.

    The other half is then stopped.
    """
    with ExitStack() as stack:
        outputs, running = [], []
        for half in HALVES:
            if chosen := [part for part in half if part in parts]:
                output = stack.enter_context(tempfile.TemporaryFile())
                command = [sys.executable, "-m", "benchmarks", "--no-page"]
                command += ["--sizes", sizes, "--parts", ",".join(chosen)]
                command += ["--repeats", str(repeats)] if repeats else []
                outputs.append(output)
                running.append(
                    subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
                )
        try:
            while (status := _status(running)) is None:
                time.sleep(WAIT_SECONDS)
        finally:
            for process in running:
                # As Ctrl-C does: the server of the half is stopped with it.
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                process.wait()
            for output in outputs:
                output.seek(0)
                print(output.read().decode(errors="replace"), end="", flush=True)
    return status


def _status(running: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """0 when all ended well, that of one that did not, none while it is open."""
    statuses = [process.poll() for process in running]
    if failed := [status for status in statuses if status]:
        return failed[0]
    return None if None in statuses else 0
