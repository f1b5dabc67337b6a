"""A daemon that kills itself at a planned step, for `ingesting(plan=...)`.

EXCURSION_TEST_KILL is ``<step>:<n>``: SIGKILL the n-th time that the step is reached.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, NoReturn

VARIABLE = "EXCURSION_TEST_KILL"
SEGMENT_BYTES = 8 << 20


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def steps() -> dict[str, tuple[Any, str, str]]:
    """Each step: the owner and name of a function, and when: before, after or half."""
    from ingest.catchup import CatchUp
    from ingest.feed.market import Watched
    from ingest.feed.trading import WatchedTradingStream
    from ingest.spool import Spool, files
    from ingest.tables import marks, quarantine
    from ingest.writer import Writer

    return {
        "received": (WatchedTradingStream, "_take", "before"),
        "received_marks": (Watched, "_take", "before"),
        "appended": (Spool, "append", "after"),
        "torn": (os, "pwrite", "half"),
        "written": (os, "fdatasync", "before"),
        "fsynced": (os, "fdatasync", "after"),
        "torn_end_kept": (files, "_keep", "after"),
        "read": (Spool, "read", "after"),
        "marks_inserted": (marks, "write", "after"),
        "inserted": (quarantine, "write", "after"),
        "committed": (Writer, "_write_once", "after"),
        "cursor_written": (Path, "rename", "before"),
        "cursor_saved": (files, "save_cursor", "after"),
        "row_caught_up": (CatchUp, "_spool", "after"),
        "caught_up": (CatchUp, "settled", "before"),
        "progress_written": (Path, "replace", "before"),
        "progress_saved": (CatchUp, "settled", "after"),
    }


def install() -> None:
    """Arm what the environment says."""
    from ingest.spool import Spool

    # Segments also end while it dies; one life's lines are a small part of one.
    assert Spool.__init__.__kwdefaults__["segment_bytes"] > SEGMENT_BYTES
    Spool.__init__.__kwdefaults__["segment_bytes"] = SEGMENT_BYTES
    step, _, count = os.environ[VARIABLE].partition(":")
    owner, name, when = steps()[step]
    original = getattr(owner, name)
    left = int(count)

    def planned(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        if when == "after":
            result = original(*arguments, **options)
            # A look into an empty spool is no step.
            left -= name != "read" or result is not None
            if left <= 0:
                die()
            return result
        left -= 1
        if left <= 0 and when == "half":
            descriptor, data, offset = arguments
            if len(data) > 1:
                original(descriptor, data[: len(data) // 2], offset)
                die()
        elif left <= 0:
            die()
        return original(*arguments, **options)

    setattr(owner, name, planned)
