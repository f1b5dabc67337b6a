"""The command line in a process of its own, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

#: Seconds after which a command counts as hanging; all of them take a few.
PATIENCE = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """The one line that a failed command leaves, without the program's name."""
        lines = self.err.splitlines()
        assert self.status != 0, self.out
        assert len(lines) == 1, self.err
        name, _, message = lines[0].partition(": ")
        assert name == "excursion"
        assert message
        assert "Traceback" not in self.err + self.out
        return message


def start(
    *arguments: str | Path,
    environment: Mapping[str, str],
    code: str | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start ``excursion ARGUMENTS``, or ``code`` that ends in running it."""
    python = ["-c", code] if code else ["-m", "ingest.cli"]
    return subprocess.Popen(
        [sys.executable, *python, *map(str, arguments)],
        cwd=ROOT,
        env=dict(environment),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def excursion(*arguments: str | Path, environment: Mapping[str, str]) -> Ended:
    """Run ``excursion ARGUMENTS`` to its end."""
    process = start(*arguments, environment=environment)
    out, err = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode, out, err)
