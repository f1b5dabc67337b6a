"""The benchmark's halves: one that fails is told, and stops the other."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from benchmarks import halves

#: In place of Python with the benchmark: one half fails, the other waits to be stopped.
HALF = """#!{python}
import pathlib, sys, time
here = pathlib.Path({folder!r})
if "replay" in " ".join(sys.argv):
    while not (here / "waiting").exists():
        time.sleep(0.01)
    print("differs")
    sys.exit(3)
try:
    (here / "waiting").touch()
    time.sleep(60)
except KeyboardInterrupt:
    (here / "stopped").touch()
"""


def test_a_half_that_fails_stops_the_other(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    half = tmp_path / "half"
    half.write_text(HALF.format(python=sys.executable, folder=str(tmp_path)))
    half.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(half))

    # As a shell leaves what it puts in the background.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert halves.run("small", ("replay", "excursions"), 1) == 3
    finally:
        signal.signal(signal.SIGINT, before)

    assert (tmp_path / "stopped").exists()
    assert "differs" in capsys.readouterr().out
