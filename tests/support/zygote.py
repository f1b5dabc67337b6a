"""Starts the program without paying for its imports each time.

Run as a script: it imports what the daemon needs, then reads one JSON object per line
from standard input and forks a child for each: {"arguments": [...], "environ": {...},
"log": path, "plan": "module:function" or null}. It answers with the child's process id
and, when that ends, with its exit status (negative: the signal that killed it). A plan
is called in the child before the program starts: tests use it to die at chosen steps.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import sys
import traceback
from typing import Any


def main() -> None:
    import ingest.cli
    import ingest.daemon
    import ingest.migrate
    import ingest.replay  # noqa: F401

    # SIGCHLD ends the wait below.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(reader, selectors.EVENT_READ)
    pending = b""
    while True:
        for key, _ in selector.select():
            data = os.read(key.fd, 65536)
            if key.fd == reader:
                reap()
                continue
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                start(json.loads(line), (reader, writer))


def start(order: dict[str, Any], descriptors: tuple[int, int]) -> None:
    pid = os.fork()
    if pid:
        say({"pid": pid})
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in descriptors:
        os.close(descriptor)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["environ"].get("PWD", "/"))
    sys.argv = ["excursion", *order["arguments"]]
    status = 1
    try:
        if order.get("plan"):
            module, _, function = order["plan"].partition(":")
            getattr(importlib.import_module(module), function)()
        from ingest.cli import main as program

        program()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(bool(error.code))
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not the zygote's own way out.
        os._exit(status)


def say(what: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        say({"pid": pid, "status": code})


if __name__ == "__main__":
    main()
