"""The generator's plans, calendar, text and command line."""

import gzip
import json
import subprocess
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from ingest.generator import MEDIUM, PLANS, SAMPLE, SMALL, generate
from ingest.generator.sessions import session_open, trading_days
from ingest.generator.text import decimal_text, instant_text


def test_the_small_plan_has_the_promised_size() -> None:
    fills: set[str] = set()
    position: dict[tuple[str, str], int] = defaultdict(int)
    marks = closed = 0
    for line in generate(SMALL):
        if b'_data"' in line[:70]:
            marks += 1
            continue
        if b'"from":"trade_updates"' not in line[:70]:
            continue
        entry = json.loads(line)
        data = entry["msg"]["data"]
        if data["execution_id"] in fills:
            continue
        fills.add(data["execution_id"])
        lane = (entry["account"], data["order"]["symbol"])
        before = position[lane]
        sign = 1 if data["order"]["side"] == "buy" else -1
        position[lane] += sign * int(data["qty"])
        assert position[lane] == int(data["position_qty"])
        closed += before != 0 and before * position[lane] <= 0
    assert closed == pytest.approx(10_000, rel=0.05)
    assert len(fills) == pytest.approx(27_000, rel=0.05)
    assert marks == pytest.approx(1_000_000, rel=0.05)


def test_plans_are_named_and_medium_spans_96_days() -> None:
    assert set(PLANS) == {"sample", "small", "medium", "large"}
    assert len(MEDIUM.days) == 96


def test_sessions_follow_new_york() -> None:
    winter, summer = date(2025, 3, 7), date(2025, 3, 10)
    assert instant_text(session_open(winter)) == "2025-03-07T14:30:00.000000Z"
    assert instant_text(session_open(summer)) == "2025-03-10T13:30:00.000000Z"
    assert instant_text(session_open(date(2024, 11, 4)))[11:16] == "14:30"
    assert trading_days(date(2025, 7, 2), 2)[1] == date(2025, 7, 7)
    with pytest.raises(ValueError, match="2026"):
        trading_days(date(2025, 12, 31), 2)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(1_874_200, 4, "187.42"), (-5, 9, "-0.000000005"), (0, 4, "0"), (30, 0, "30")],
)
def test_decimals_are_written_exactly(value: int, places: int, text: str) -> None:
    assert decimal_text(value, places) == text


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ingest.generator", *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def test_the_command_writes_reproducible_gzip(tmp_path: Path) -> None:
    first, second = tmp_path / "one.jsonl.gz", tmp_path / "two.jsonl.gz"
    for path in (first, second):
        assert (
            _run("--plan", "sample", "--seed", "5", "--out", str(path)).returncode == 0
        )
    assert first.read_bytes() == second.read_bytes()
    with gzip.open(first) as file:
        assert file.read() == b"".join(generate(SAMPLE.with_seed(5)))


def test_the_command_writes_to_standard_output_and_says_where_it_cannot(
    tmp_path: Path,
) -> None:
    assert _run().stdout == b"".join(generate(SAMPLE))
    failed = _run("--out", str(tmp_path / "missing" / "file"))
    assert failed.returncode == 1
    assert failed.stderr.startswith(b"cannot write ")
