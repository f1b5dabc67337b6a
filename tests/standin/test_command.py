"""`excursion standin` as a program of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from standin.faults import PARTS, Faults
from tests.support.paths import ROOT
from tests.support.wire import frame, line, quote

PROGRAM = """
from ingest.errors import ExcursionError
from standin.command import standin
import sys
try:
    standin()
except ExcursionError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_status)
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The running program, and what it printed before it was ready."""
    process = subprocess.Popen(
        command("--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        lines = []
        for printed in process.stdout:
            lines.append(printed.rstrip("\n"))
            if printed.startswith("rest_url"):
                break
        yield process, lines
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.jsonl"
    path.write_text(
        line("trade_updates", frame(), account="swing")
        + "\n"
        + line("stock_data", quote())
    )
    return path


def test_it_says_first_what_it_is_and_then_how_to_get_there(recording: Path) -> None:
    with started(str(recording), "--wait", "--account", "extra=K:S") as (_, lines):
        assert "stand-in" in lines[0] and "not Alpaca" in lines[0]
        settings = tomllib.loads("\n".join(lines[lines.index("") :]))
        base = settings["market_data"]["rest_url"]
        assert base.startswith("http://127.0.0.1:") and base in lines[0]
        swing, extra = (settings["accounts"][name] for name in ("swing", "extra"))
        assert (swing["key_id"], extra["key_id"], extra["secret_key"]) == (
            "swing",
            "K",
            "S",
        )
        assert swing["trading_url"] == base
        assert swing["stream_url"] == base.replace("http", "ws") + "/stream"
        assert settings["market_data"]["stock_url"].endswith("/v2/iex")
        state = requests.get(f"{base}/standin/state", timeout=5).json()
        assert state["playback"]["lines"] == 2


def test_without_a_recording_there_is_one_account(recording: Path) -> None:
    with started("--fault", "trading.repeat=3", "--fault", "data.mute=true") as (
        _,
        lines,
    ):
        settings = tomllib.loads("\n".join(lines[lines.index("") :]))
        assert list(settings["accounts"]) == ["main"]
        base = settings["market_data"]["rest_url"]
        faults = requests.get(f"{base}/standin/faults", timeout=5).json()
        assert faults["trading"]["repeat"] == 3 and faults["data"]["mute"] is True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(recording: Path, number: signal.Signals) -> None:
    with started(str(recording), "--speed", "0") as (process, _):
        assert process.stderr is not None
        assert "played 2 messages to the end" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(3) == 0
        assert process.stderr.read() == ""


def test_a_signal_starts_a_playback_that_waits(recording: Path) -> None:
    with started(str(recording), "--speed", "0", "--wait") as (process, _):
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        assert "played 2 messages" in process.stderr.readline()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["missing.jsonl"], 2, "no recording missing.jsonl"),
        (["--account", "main"], 2, "NAME=KEY:SECRET"),
        (["--fault", "trading.repeat=none"], 2, "trading.repeat"),
        (["--fault", "bogus"], 2, "PART.NAME=VALUE"),
        (
            ["--fault", "trading.foo=1"],
            2,
            "no fault trading.foo; trading has accounts,",
        ),
        (["--fault", "data.mutes=1"], 2, "(did you mean mute?); data has feeds,"),
        (["--fault", "trade.mute=1"], 2, "there are trading, data, rest, clock_skew"),
        (["--fault", "trading=1"], 2, "write trading.NAME=VALUE"),
        (
            ["--fault", 'rest.answers=[{"paths": "/v2"}]'],
            2,
            "(did you mean path?); rest.answers.0 has path, account, times",
        ),
        (["--settings", "/no/such/x.toml"], 2, "--settings /no/such/x.toml: No such"),
        (["--port", "70000"], 2, "70000"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], status: int, said: str
) -> None:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment()
    )
    assert done.returncode == status and said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_all_faults_are_listed_with_their_meaning() -> None:
    done = subprocess.run(
        command("--faults"), capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0 and done.stderr == ""
    said = dict(row.split(None, 1) for row in done.stdout.splitlines())
    assert said["trading.drop_every=0"].startswith("Every n-th frame is never sent")
    assert said["data.refuse=none"].endswith(
        "One of: none, http_401, http_404, http_429, silence."
    )
    assert "rest.answers[].status=null" in said
    listed = {name.partition("=")[0] for name in said}
    groups = Faults().model_dump()
    wanted = {f"{part}.{name}" for part in PARTS for name in groups[part]}
    assert wanted | {"clock_skew"} <= listed


def test_without_aiohttp_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['aiohttp'] = None\n" + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert "pip install 'excursion[standin]'" in said


def test_only_loopback_is_bound() -> None:
    with started() as (process, lines):
        port = int(lines[0].rpartition(":")[2])
        bound = Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()
        mine = [row.split()[1] for row in bound if f":{port:04X} 00000000:0000" in row]
        assert mine == [f"0100007F:{port:04X}"]
        assert f":{port:04X} " not in Path("/proc/net/tcp6").read_text()


def test_a_port_in_use_is_said_in_one_line() -> None:
    with started() as (_, lines):
        port = lines[0].rpartition(":")[2]
        done = subprocess.run(
            command("--port", port), capture_output=True, text=True, env=environment()
        )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "--port" in done.stderr and port in done.stderr
