"""Facts in any order and weeks late: incremental is a full refresh, row for row."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support import arrivals, dbt
from tests.support.histories import lanes as histories
from tests.support.lanes import Lane
from tests.support.paths import SAMPLE
from tests.support.postgres import Database, Server, replay

#: In one pair of databases: a build takes dbt's own time, however many there are.
HISTORIES = 210
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
    "analytics_intermediate.int_open_legs__marked",
    "analytics_intermediate.int_open_positions__quoted",
)

POSITIONS = (
    "+position_history_versions",
    "+active_positions",
    "feature_coverage",
    "unallocated_fees",
    "int_lanes__unclaimed",
)
# Views stay as they are, but where a full refresh drops what they read.
STORED = "config.materialized:incremental,+active_positions"
# What a build of some looks at.
TESTS = (
    "int_lanes__unchecked+1,test_type:data",
    "int_positions__unchecked+1,test_type:data",
)
UNCHECKED = "select count(*) from analytics_intermediate.int_lanes__unchecked"


@pytest.mark.long
def test_late_facts_change_what_they_touch(server: Server, tmp_path: Path) -> None:
    base = _base()
    chance = random.Random(base)
    lines = list(arrivals.joined(_draw(base)))
    with gzip.open(SAMPLE, "rt") as sample:
        lines += [line.rstrip("\n") for line in sample]
    published: dict[datetime, Counter[tuple[Any, ...]]] = {}
    with server.created() as incremental, server.created() as full:
        for number, batch in enumerate(arrivals.batches(lines, BATCHES, chance)):
            for database in (incremental, full):
                replay(database, batch, tmp_path, batch_lines=700)
            told = f"seed {base}, batch {number} of {len(batch)} lines"
            if number == 0:
                for database in (incremental, full):
                    dbt.build(database, " ".join(POSITIONS), data_tests=False)
                continue
            live = _rows(incremental, "analytics.active_positions")
            if chance.random() < 0.2:
                # A build that is interrupted is taken up again by the next one.
                half = chance.choice(("int_legs__built", "int_leg_days__reduced"))
                dbt.run(incremental, ["run", "--select", f"+{half},{STORED}"])
            if number % 7 == 0:
                # The last one too: its tests find no fault where there is none.
                with_tests = ["--indirect-selection", "empty", "--select", STORED]
                some = {"tested_whole_until_legs": 0}
                dbt.run(incremental, ["build", *with_tests, *TESTS], vars=some)
            else:
                dbt.run(incremental, ["run", "--select", STORED])
            _refresh(full, anew=number == BATCHES - 1)
            for table in TABLES:
                have, need = _rows(incremental, table), _rows(full, table)
                assert have == need, f"{told}: {table}: {_difference(have, need)}"
            need = _rows(full, "analytics.active_positions")
            assert live == need, f"{told}: before the build: {_difference(live, need)}"
            ((now,),) = incremental.query("select clock_timestamp()")
            published[now] = _rows(incremental, "analytics.position_history")
        # The last build had tests: all stands.
        assert incremental.query(UNCHECKED) == [(0,)]
        for at, need in published.items():
            have = _rows(incremental, "analytics.position_history_versions", at)
            assert have == need, f"as of {at}: {_difference(have, need)}"


def _refresh(database: Database, *, anew: bool) -> None:
    """Derive everything; ``anew``: as --full-refresh does, which drops views too."""
    if anew:
        dbt.run(database, ["run", "--full-refresh", "--select", *POSITIONS])
        return
    scope = "analytics_intermediate.int_builds__scoped"
    database.execute(f"update {scope} set is_full = true")  # noqa: S608
    dbt.run(database, ["run", "--select", STORED])


def _base() -> int:
    # In CI the same every time.
    return 0 if settings().derandomize else random.SystemRandom().randrange(2**32)


def _draw(base: int) -> list[Lane]:
    drawn: list[Lane] = []

    @seed(base)
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


def _rows(
    database: Database, table: str, at: datetime | None = None
) -> Counter[tuple[Any, ...]]:
    """Rows and how often they occur; of versions, those that stood at an instant."""
    question = f"select * from {table}"  # noqa: S608
    if at:
        question += " where valid_from <= %s and coalesce(valid_to, 'infinity') > %s"
    return Counter(
        tuple(
            json.dumps(value) if isinstance(value, dict) else value
            for value in (row[:-2] if at else row)
        )
        for row in database.query(question, (at, at) if at else ())
    )


def _difference(have: Counter[Any], need: Counter[Any]) -> str:
    only_have = list((have - need).elements())
    only_need = list((need - have).elements())
    return (
        f"{len(only_have)} rows only incremental, {len(only_need)} only full\n"
        f"incremental: {only_have[:3]}\nfull: {only_need[:3]}"
    )
