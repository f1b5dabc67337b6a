"""Rows loaded in bulk are those that a replay of the same plan stores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.loading import Loader, days_of, load_plan
from ingest.generator import SAMPLE, SMALL, Plan, generate
from ingest.generator.bulk import marks_by_day
from tests.support import contents
from tests.support.postgres import Database, Server, replay

# Nobody trades it, and it falls below nothing: marks without a bid, or any price.
WORTHLESS = replace(SMALL.instruments[2], cents=2, volatility=2.5, half_spread=3)

PLAN = replace(
    SMALL,
    days=SMALL.days[:2],
    step=30_000_000,
    flaw_every=53,
    instruments=(
        *(replace(item, volatility=0.2) for item in SMALL.instruments[:2]),
        WORTHLESS,
        *(item for item in SMALL.instruments if item.ticker == "AAPL"),
    ),
)


def _plan() -> Plan:
    instruments = tuple(dict.fromkeys(PLAN.instruments))
    kept = {item.symbol for item in instruments} - {WORTHLESS.symbol}
    return replace(
        PLAN,
        instruments=instruments,
        lanes=tuple(lane for lane in PLAN.lanes if lane.symbol in kept),
    )


def _contents(database: Database) -> dict[str, str]:
    """All raw rows, and the hours of marks that are noted as new."""
    noted = database.query(
        "select symbol, hour_at::text from raw.changed_marks"
        " inner join raw.instruments using (symbol_id) order by 1, 2"
    )
    rows = contents.raw(database)
    # Each batch notes its own facts.
    rows.pop("changed_facts", None)
    return {**rows, "noted": str(noted)}


@pytest.fixture
def replayed(server: Server, tmp_path: Path) -> dict[str, str]:
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(b"".join(generate(_plan())))
    with server.created() as database:
        replay(database, [recording], tmp_path)
        unusable = database.query("select count(*) from raw.marks where not is_usable")
        assert unusable > [(100,)]
        return _contents(database)


@pytest.mark.parametrize("way", ["at once", "day by day", "fresh"])
def test_bulk_loading_stores_what_a_replay_does(
    database: Database, replayed: dict[str, str], way: str
) -> None:
    if way == "at once":
        load_plan(database.url, _plan())
    else:
        connection = database.connect()
        loader = Loader(connection, _plan())
        for day in days_of(_plan()):
            loader.load([day], fresh=way == "fresh")
        connection.close()
    assert _contents(database) == replayed


def test_a_plan_without_all_of_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="sample does not record every mark"):
        next(marks_by_day(SAMPLE))
