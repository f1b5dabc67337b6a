"""Generated histories through parser, writer and SQL, against a brute-force reference.

Each part draws its histories, lays them side by side as lanes of one database, each
also in changed forms of which the outcome is known, and builds once. A failure shows
the smallest history that still fails, as a recording.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from ingest import verify_marts
from tests.support import comparing, dbt, variants
from tests.support.comparing import Rows
from tests.support.histories import lanes as histories
from tests.support.lanes import Lane
from tests.support.postgres import Server, replay

#: Parts run side by side under pytest-xdist; each is one database and two builds.
PARTS = 6
HISTORIES = 100

#: What a changed history may state differently: ids and accounts.
OWN = frozenset({"account_name", "symbol", "execution_id"})


@dataclass
class Batch:
    """The histories of one part and what became of them."""

    plain: list[Lane]
    #: By name of the change: the changed lane of each history that allows it.
    changed: dict[str, dict[int, Lane]] = field(default_factory=dict)
    closed: Rows = field(default_factory=dict)
    open: Rows = field(default_factory=dict)
    mismatches: dict[int, list[str]] = field(default_factory=dict)

    @property
    def lanes(self) -> Iterator[Lane]:
        yield from self.plain
        for changed in self.changed.values():
            yield from changed.values()

    @property
    def lines(self) -> list[str]:
        return [line for lane in self.lanes for line in lane.lines()]


@pytest.mark.parametrize("part", range(PARTS))
def test_histories(
    part: int, server: Server, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    # One test a part, so that a part is built once, by whichever worker has it.
    batch = Batch(_draw(part))
    _change(batch)
    with server.created() as database:
        summary = replay(database, batch.lines, tmp_path)
        assert not summary.quarantined, summary.problems
        dbt.build(database, data_tests=False)
        batch.closed, batch.open = comparing.built(database)
        batch.mismatches = comparing.mismatches(database, list(batch.lanes))
        with subtests.test("the project's own data tests hold"):
            dbt.run(database, ["test", "--select", "test_type:data"])
        with (
            subtests.test("marks that are read again say the same"),
            closing(database.connect()) as connection,
        ):
            verify_marts.excursions(connection)
    for check in (
        at_least_500_histories_are_compared,
        pnl_is_the_difference_of_prices_and_within_the_extremes,
        a_fill_cut_in_two_changes_nothing,
        a_split_in_history_changes_no_dollars,
        mirrored_prices_and_sides_change_nothing_but_the_side,
        swapped_sides_negate_the_pnl_and_swap_the_extremes,
    ):
        with subtests.test(check.__name__):
            check(batch)
    with subtests.test("positions are those of the reference"):
        positions_are_those_of_the_reference(batch, server, tmp_path)
    with subtests.test("any order of delivery and repetition give the same rows"):
        delivered_otherwise_gives_the_same_rows(batch, part, server, tmp_path)


def _draw(part: int) -> list[Lane]:
    # The parts must not draw the same; in CI each draws the same every time.
    base = 0 if settings().derandomize else random.SystemRandom().randrange(2**32)
    drawn: list[Lane] = []

    @seed(base + part)
    @settings(
        max_examples=HISTORIES,
        # Nothing fails in here: hypothesis only draws, see smallest_failing.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=False,
    )
    @given(histories())
    def draw(lane: Lane) -> None:
        drawn.append(lane)

    draw()
    return [_numbered(lane, n) for n, lane in enumerate(drawn[:HISTORIES])]


def _numbered(lane: Lane, number: int) -> Lane:
    return variants.alone(lane, lambda same: same, number, "plain")


def _change(batch: Batch) -> None:
    step, plain = len(batch.plain), batch.plain
    batch.changed = {
        "cut": {
            lane.number: variants.apart(lane, variants.cut, lane.number + step, "cut")
            for lane in plain
        },
        "swapped": {
            lane.number: variants.apart(
                lane, variants.swapped, lane.number + 2 * step, "swapped"
            )
            for lane in plain
        },
        "mirrored": {
            lane.number: variants.alone(
                lane, variants.mirrored, lane.number + 3 * step, "mirrored"
            )
            for lane in plain
            if variants.can_be_mirrored(lane)
        },
        "split": {
            lane.number: variants.alone(
                lane, variants.split, lane.number + 4 * step, "split"
            )
            for lane in plain
            if variants.can_be_split(lane)
        },
    }


def at_least_500_histories_are_compared(batch: Batch) -> None:
    assert PARTS * HISTORIES >= 500
    assert len(batch.plain) == HISTORIES
    assert len({tuple(lane.lines()) for lane in batch.plain}) == HISTORIES
    # Not vacuous: there is something to compare.
    rows = [row for lane in batch.plain for row in batch.closed.get(lane.key, [])]
    assert len(rows) > HISTORIES / 4
    assert {row["side"] for row in rows} == {"long", "short"}
    if settings().derandomize:
        # The rare is there too; of random ones some batch may lack it.
        assert any(row["is_dust_closed"] for row in rows)
        assert {row["multiplier"] for row in rows} == {1, 100}
        assert sum(row["mark_count"] for row in rows) > HISTORIES
        fates = {e.kind for lane in batch.plain for e in lane.executions}
        assert fates == {"fill", "bust", "correct"}
        counts = {name: len(changed) for name, changed in batch.changed.items()}
        assert min(counts.values()) >= HISTORIES / 20, counts


def positions_are_those_of_the_reference(
    batch: Batch, server: Server, tmp_path: Path
) -> None:
    if not batch.mismatches:
        return
    first = next(lane for lane in batch.lanes if lane.number in batch.mismatches)
    smallest, told = comparing.smallest_failing(server, first, tmp_path)
    before = batch.mismatches[first.number]
    pytest.fail(
        f"{len(batch.mismatches)} of {len(list(batch.lanes))} lanes differ. One says:\n"
        + "\n".join(before)
        + "\nIts smallest failing part:\n"
        + comparing.report(smallest, [told])
    )


def pnl_is_the_difference_of_prices_and_within_the_extremes(batch: Batch) -> None:
    for rows in batch.closed.values():
        for row in rows:
            sign = 1 if row["side"] == "long" else -1
            units = Fraction(row["quantity"]) * row["multiplier"]
            difference = Fraction(row["exit_price"]) - Fraction(row["entry_price"])
            pnl = Fraction(row["pnl_dollars"])
            # Each price is stored with nine decimals: half a step off at most.
            assert abs(sign * difference * units - pnl) <= (units + 1) / 10**9
            assert row["worst_unrealized_pnl_dollars"] <= min(0, row["pnl_dollars"])
            assert row["best_unrealized_pnl_dollars"] >= max(0, row["pnl_dollars"])
            lost = row["best_unrealized_pnl_dollars"] - row["pnl_dollars"]
            assert row["max_give_back_dollars"] >= lost - comparing.STEP
            for at in ("best_unrealized_at", "worst_unrealized_at"):
                assert row["entry_time"] <= row[at] <= row["exit_time"]
            assert row["peak_quantity"] <= row["quantity"]


def a_fill_cut_in_two_changes_nothing(batch: Batch) -> None:
    # But the count of fills, and which of the halves opened the position.
    ignored = {"entry_fill_count", "exit_fill_count"}
    _assert_same(batch, "cut", ignored=ignored)


def a_split_in_history_changes_no_dollars(batch: Batch) -> None:
    # Positions that ended before it are stated in the units of their own end.
    units = {"quantity", "entry_price", "exit_price", "peak_quantity"}
    now = {"last_mark_price", "last_mark_at", "unrealized_pnl_dollars"}
    _assert_same(batch, "split", ignored=units | now)


def mirrored_prices_and_sides_change_nothing_but_the_side(batch: Batch) -> None:
    prices = {"entry_price", "exit_price", "last_mark_price"}
    # Of several last marks of one instant the highest price is shown.
    now = {"unrealized_pnl_dollars"}
    _assert_same(batch, "mirrored", ignored={"side"} | prices | now)


def swapped_sides_negate_the_pnl_and_swap_the_extremes(batch: Batch) -> None:
    def swap(row: dict[str, Any]) -> dict[str, Any]:
        best, worst = "best_unrealized_pnl_dollars", "worst_unrealized_pnl_dollars"
        turned = {**row, best: -row[worst], worst: -row[best]}
        if "pnl_dollars" in row:
            turned["pnl_dollars"] = -row["pnl_dollars"]
            turned["best_unrealized_at"] = row["worst_unrealized_at"]
            turned["worst_unrealized_at"] = row["best_unrealized_at"]
        elif row["unrealized_pnl_dollars"] is not None:
            turned["unrealized_pnl_dollars"] = -row["unrealized_pnl_dollars"]
        turned["side"] = {"long": "short", "short": "long"}[row["side"]]
        return turned

    ignored = {"max_give_back_dollars"}
    _assert_same(batch, "swapped", ignored=ignored, told_as=swap)


def delivered_otherwise_gives_the_same_rows(
    batch: Batch, part: int, server: Server, tmp_path: Path
) -> None:
    lines = batch.lines * 2
    random.Random(part).shuffle(lines)
    with server.created() as database:
        # Small batches, so that what belongs together meets in the database.
        replay(database, lines, tmp_path, batch_lines=700)
        assert database.query("select reason, message from raw.quarantine") == []
        dbt.build(database, comparing.MARTS, data_tests=False)
        want = batch.closed, batch.open
        found = comparing.differences(database, batch.lanes, want)
    for lane in batch.lanes:
        if lane.number in found:
            pytest.fail(comparing.report(lane, found[lane.number]))


def _assert_same(
    batch: Batch,
    change: str,
    *,
    ignored: Iterable[str] = (),
    told_as: Any = lambda row: row,
) -> None:
    """The changed lanes have the rows of the plain ones, told as they should be."""
    kept = OWN.union(ignored)
    for number, lane in batch.changed[change].items():
        plain = batch.plain[number]
        for what, rows in (("closed", batch.closed), ("open", batch.open)):
            need = [
                {
                    name: value
                    for name, value in told_as(row).items()
                    if name not in kept
                }
                for row in rows.get(plain.key, [])
            ]
            told = comparing.compare(
                what, _ordered(rows.get(lane.key, [])), _ordered(need)
            )
            if told:
                told = [*told, "of the unchanged history:", *plain.lines()]
                pytest.fail(comparing.report(lane, told))


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By what identifies a position that has another id in each form."""
    return sorted(
        rows,
        key=lambda row: (
            (row["entry_time"], row.get("exit_time"), row["mark_count"])
            if "mark_count" in row
            else (row["entry_time"],)
        ),
    )
