"""What the data tests of a build look at, and until when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dbt import BuildError, run
from tests.support.postgres import Database, Server

#: The stored models of positions, and the tests that look at what is unchecked.
STORED = "+position_history_versions,config.materialized:incremental"
TESTS = [
    "int_lanes__unchecked+1,test_type:data",
    "int_positions__unchecked+1,test_type:data",
]

#: However short the history is.
VARS = {"tested_whole_until_legs": 0}

UNCHECKED = """
select
    (select is_all_unchecked from analytics_intermediate.int_builds__scoped),
    (select count(*) from analytics_intermediate.int_lanes__unchecked),
    (select count(*) from analytics_intermediate.int_positions__unchecked)
"""
NOTHING = [(False, 0, 0)]

#: A position whose lane has others, and its net P&L wrong by a dollar.
ONE = """
(
    select position_id from analytics_intermediate.int_legs__built
    where not is_open_position
    order by leg_started_at, position_id
    limit 1
)
"""
SPOILED = f"""
update analytics.position_history set net_pnl_dollars = net_pnl_dollars + 1
where id = {ONE}
"""  # noqa: S608
MENDED = SPOILED.replace("+ 1", "- 1")
RED = "position_history_net_pnl_is_pnl_less_fees_plus_dividends"
#: It becomes a fact of its lane again, and all that follows in the lane with it.
TOUCHED = f"""
update raw.fills set price = price
where event_id = (
    select event_id from analytics_intermediate.int_legs__built
    where position_id = {ONE} and event_type = 'FILL'
    order by leg_number
    limit 1
)
"""  # noqa: S608


def build(database: Database, *more: str) -> None:
    """``more``: selected too, then options."""
    select = ["--indirect-selection", "empty", "--select", STORED, *TESTS]
    run(database, ["build", *select, *more], vars=VARS)


@pytest.fixture(scope="module")
def checked_sample(server: Server, built_sample: Database) -> Iterator[Database]:
    with server.cloned(built_sample) as database:
        assert database.query(UNCHECKED) == [(True, 0, 0)]
        build(database)
        assert database.query(UNCHECKED) == NOTHING
        yield database


@pytest.fixture
def checked(server: Server, checked_sample: Database) -> Iterator[Database]:
    """The sample, built, with all of these tests passed."""
    with server.cloned(checked_sample) as database:
        yield database


def test_a_build_looks_at_what_it_derived_and_dbt_test_at_all(
    checked: Database,
) -> None:
    checked.execute(SPOILED)
    build(checked)
    with pytest.raises(BuildError, match=RED):
        run(checked, ["test", "--select", RED])
    checked.execute(TOUCHED)
    build(checked)
    run(checked, ["test", "--select", RED])


def test_of_a_short_history_a_build_looks_at_all(checked: Database) -> None:
    checked.execute(SPOILED)
    with pytest.raises(BuildError, match=RED):
        run(checked, ["build", "--select", "int_builds__scoped", RED])


def test_what_was_not_found_right_is_looked_at_again(checked: Database) -> None:
    checked.execute(TOUCHED)
    run(checked, ["run", "--select", STORED])
    ((is_all, lanes, positions),) = checked.query(UNCHECKED)
    assert (is_all, lanes) == (False, 1)
    assert positions > 1
    # A build of nothing new, twice: a failure is not forgotten.
    checked.execute(SPOILED)
    for _ in range(2):
        with pytest.raises(BuildError, match=RED):
            build(checked)
        assert checked.query(UNCHECKED) == [(False, 1, positions)]
    checked.execute(MENDED)
    # Of the tests that look at what is unchecked, one was left out.
    build(checked, "--exclude", RED)
    assert checked.query(UNCHECKED) == [(False, 1, positions)]
    build(checked)
    assert checked.query(UNCHECKED) == NOTHING


def test_after_a_build_of_everything_all_is_looked_at_until_it_is_right(
    checked: Database,
) -> None:
    # As a full refresh that was cut off: taken up again.
    checked.execute(
        "update analytics_intermediate.int_builds__scoped set is_full = true"
    )
    run(checked, ["run", "--select", STORED])
    assert checked.query(UNCHECKED) == [(True, 0, 0)]
    checked.execute(SPOILED)
    for _ in range(2):
        with pytest.raises(BuildError, match=RED):
            build(checked)
    checked.execute(MENDED)
    build(checked)
    assert checked.query(UNCHECKED) == NOTHING


def test_a_lane_that_was_cut_at_the_wrong_instant_is_red(checked: Database) -> None:
    """What is lost so is on neither side of the tests of what was derived."""
    checked.execute(
        f"""
        update analytics_intermediate.int_legs__built set is_flat_point = true
        where position_id = {ONE} and leg_number = 1
        """  # noqa: S608
    )
    checked.execute(TOUCHED.replace("order by leg_number", "order by leg_number desc"))
    cash = "assert_fills_and_positions_have_the_same_cash"
    with pytest.raises(BuildError) as error:
        build(checked, cash)
    assert cash in str(error.value)


@pytest.mark.parametrize("is_all", [False, True], ids=["some", "all"])
def test_what_comes_while_the_tests_run_is_judged_by_the_next_build(
    checked: Database, is_all: bool
) -> None:
    checked.execute(TOUCHED)
    checked.execute(
        "update analytics_intermediate.int_builds__scoped"  # noqa: S608
        f" set is_all_unchecked = {is_all}"
    )
    # The last model but the statistics: its build has claimed what it will see.
    checked.execute(
        f"""
        create function late() returns trigger language plpgsql as $$
        begin
            {TOUCHED};
            return null;
        end $$;
        create trigger late
        after delete or insert on analytics.position_history_versions
        for each statement execute function late()
        """
    )
    build(checked)
    checked.execute("drop function late cascade")
    ((is_left, lanes, positions),) = checked.query(UNCHECKED)
    assert (is_left, lanes) == (False, 1)
    assert (positions,) == checked.query(
        f"""
        select count(distinct legs.position_id)
        from analytics_intermediate.int_legs__built as legs
        inner join analytics_intermediate.int_legs__built as one
            on legs.account_name = one.account_name and legs.symbol = one.symbol
        where one.position_id = {ONE}
        """  # noqa: S608
    )[0]
    build(checked)
    assert checked.query(UNCHECKED) == NOTHING
