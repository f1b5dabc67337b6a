"""The parts in two processes side by side, to find wrong results in half the time."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack

from benchmarks import derived

#: They take about equally long on the small size. Each has a server of its own.
HALVES = (("replay", "storage", "nightly", "dagster"), derived.PARTS)


def run(sizes: str, parts: Sequence[str], repeats: int | None) -> int:
    """What each half printed, one after the other; the status of the first to fail.

    The other half is then stopped, as both are by Ctrl-C.
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
                    subprocess.Popen(
                        command,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        # Away from the terminal: a second Ctrl-C would interrupt the
                        # half while it stops its server.
                        start_new_session=True,
                        preexec_fn=_hear_ctrl_c,
                    )
                )
        try:
            return _first_failure(running)
        finally:
            for output in outputs:
                output.seek(0)
                print(output.read().decode(errors="replace"), end="", flush=True)


def _hear_ctrl_c() -> None:
    """A shell starts what it puts in the background deaf to it, with all it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _first_failure(running: Sequence[subprocess.Popen[bytes]]) -> int:
    """0 when all ended well. None is running afterwards."""
    with ThreadPoolExecutor() as pool:
        waits = [pool.submit(process.wait) for process in running]
        try:
            for wait in as_completed(waits):
                if status := wait.result():
                    return status
            return 0
        finally:
            for process, wait in zip(running, waits, strict=True):
                if not wait.done():
                    process.send_signal(signal.SIGINT)
