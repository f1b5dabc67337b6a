"""Facts in any order and weeks late: incremental is a full refresh, row for row."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support import arrivals, dbt
from tests.support.histories import lanes as histories
from tests.support.lanes import Lane
from tests.support.paths import ROOT
from tests.support.postgres import Database, Server, replay

#: Parts run side by side under pytest-xdist; each is two databases.
PARTS = 2
HISTORIES = 105
BATCHES = 50

#: All that the position models keep, and what is derived from it at each question.
TABLES = (
    "analytics.position_history",
    "analytics.active_positions",
    "analytics.feature_coverage",
    "analytics.unallocated_fees",
    "analytics_intermediate.int_legs__built",
    "analytics_intermediate.int_leg_days__reduced",
    "analytics_intermediate.int_leg_day_paths__measured",
    "analytics_intermediate.int_open_positions__quoted",
)

POSITIONS = (
    "+position_history_versions",
    "+active_positions",
    "feature_coverage",
    "unallocated_fees",
)
# Views stay as they are, but where a full refresh drops what they read.
STORED = "config.materialized:incremental,+position_history_versions"
LIVE = "int_open_positions__quoted"


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_late_facts_change_what_they_touch(
    part: int, server: Server, tmp_path: Path
) -> None:
    chance = random.Random(_base() + part)
    lines = list(arrivals.joined(_draw(part)))
    with gzip.open(ROOT / "sample" / "session.jsonl.gz", "rt") as sample:
        lines += [line.rstrip("\n") for line in sample]
    incremental, full = server.create(), server.create()
    try:
        for number, batch in enumerate(arrivals.batches(lines, BATCHES, chance)):
            for database in (incremental, full):
                replay(database, batch, tmp_path, batch_lines=700)
            told = f"seed {_base()}, part {part}, batch {number} of {len(batch)} lines"
            if number == 0:
                dbt.run(incremental, ["build", "--select", *POSITIONS])
                dbt.run(full, ["build", "--select", *POSITIONS])
                continue
            live = _rows(incremental, "analytics.active_positions")
            if chance.random() < 0.2:
                # A build that is interrupted is taken up again by the next one.
                half = chance.choice(("int_legs__built", "int_leg_days__reduced"))
                dbt.run(incremental, ["run", "--select", f"+{half}"])
            dbt.run(incremental, ["run", "--select", STORED, LIVE])
            dbt.run(full, ["run", "--full-refresh", "--select", *POSITIONS])
            for table in TABLES:
                have, need = _rows(incremental, table), _rows(full, table)
                assert have == need, f"{told}: {table}: {_difference(have, need)}"
            need = _rows(full, "analytics.active_positions")
            assert live == need, f"{told}: before the build: {_difference(live, need)}"
    finally:
        server.drop(incremental)
        server.drop(full)


def _base() -> int:
    # In CI the same every time.
    return 0 if settings().derandomize else random.SystemRandom().randrange(2**32)


def _draw(part: int) -> list[Lane]:
    drawn: list[Lane] = []

    @seed(_base() + part)
    @settings(
        max_examples=HISTORIES,
        # Nothing fails in here: hypothesis only draws.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=False,
    )
    @given(histories())
    def draw(lane: Lane) -> None:
        drawn.append(lane)

    draw()
    return [
        Lane(**{**vars(lane), "number": number, "account": "late"})
        for number, lane in enumerate(drawn[:HISTORIES])
    ]


def _rows(database: Database, table: str) -> Counter[tuple[Any, ...]]:
    return Counter(
        tuple(json.dumps(value) if isinstance(value, dict) else value for value in row)
        for row in database.query(f"select * from {table}")  # noqa: S608
    )


def _difference(have: Counter[Any], need: Counter[Any]) -> str:
    only_have = list((have - need).elements())
    only_need = list((need - have).elements())
    return (
        f"{len(only_have)} rows only incremental, {len(only_need)} only full\n"
        f"incremental: {only_have[:3]}\nfull: {only_need[:3]}"
    )
