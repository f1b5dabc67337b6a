"""strategy_stats of many dates by one command: what each date alone gives, and no more.

On the recorded sample, with a window of three days: dates before its first exit, dates
with different windows, and dates after its last exit has left the window.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.support import dbt
from tests.support.postgres import Database, Server

pytestmark = pytest.mark.long

LOOKBACK_DAYS = 3

#: The roll-ups in another way: each position once per roll-up, windows for the order.
WINDOWED = """
with dates as (
    select day::date as as_of_date
    from generate_series(%s::date, %s::date, interval '1 day') as days (day)
),

expanded as (
    select
        as_of_date,
        all_tickers,
        case when all_tickers then 'ALL' else ticker end as ticker,
        case when all_strategies then 'ALL'
            else coalesce(strategy_type, 'unassigned') end as strategy_type,
        case when all_assets then 'ALL'
            when instrument_type in ('CALL', 'PUT') then 'option'
            when instrument_type = 'CRYPTO' then 'crypto'
            else 'stock' end as asset_type,
        exit_time,
        id,
        net_pnl_dollars
    from dates
    inner join analytics.position_history
        on (exit_time at time zone 'America/New_York')::date
            between as_of_date - 2 and as_of_date
    cross join (values (true), (false)) as a (all_tickers)
    cross join (values (true), (false)) as b (all_strategies)
    cross join (values (true), (false)) as c (all_assets)
    where not is_opening_synthetic
),

running as (
    select *, sum(net_pnl_dollars) over trades as equity
    from expanded
    window trades as (
        partition by as_of_date, all_tickers, ticker, strategy_type, asset_type
        order by exit_time, id
    )
),

falling as (
    select *, greatest(0, max(equity) over trades) - equity as drawdown
    from running
    window trades as (
        partition by as_of_date, all_tickers, ticker, strategy_type, asset_type
        order by exit_time, id
    )
)

select
    as_of_date, all_tickers, ticker, strategy_type, asset_type,
    count(*), round(avg(net_pnl_dollars), 9), max(drawdown)
from falling
group by as_of_date, all_tickers, ticker, strategy_type, asset_type
order by 1, 2, 3, 4, 5
"""

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def built(server: Server, built_sample: Database) -> Iterator[Database]:
    with server.cloned(built_sample) as database:
        yield database


@pytest.fixture
def exits(built: Database) -> list[date]:
    """The trading dates with exits; afterwards the positions are as they were."""
    built.execute("create table public.kept as table analytics.position_history")
    return [
        day
        for (day,) in built.query(
            "select distinct (exit_time at time zone 'America/New_York')::date"
            " from analytics.position_history where not is_opening_synthetic order by 1"
        )
    ]


@pytest.fixture(autouse=True)
def restored(built: Database) -> Iterator[None]:
    built.execute("truncate analytics.strategy_stats")
    yield
    built.execute(
        "do $$ begin if to_regclass('public.kept') is not null then"
        " truncate analytics.position_history;"
        " insert into analytics.position_history table public.kept;"
        " drop table public.kept; end if; end $$"
    )


def compute(database: Database, first: date, last: date) -> None:
    """All dates of a range, with the data tests of the table."""
    variables = {"as_of_date_from": str(first), "as_of_date_until": str(last)}
    dbt.build(
        database,
        "strategy_stats",
        vars={**variables, "lookback_days": LOOKBACK_DAYS},
    )


def stats(database: Database, columns: str = "*") -> list[Row]:
    return database.query(
        f"select {columns} from analytics.strategy_stats"  # noqa: S608
        " order by as_of_date, is_all_tickers, ticker, strategy_type, asset_type"
    )


def dates(database: Database) -> set[date]:
    return {day for (day,) in stats(database, "as_of_date")}


def test_a_range_gives_what_each_date_gives_alone(
    built: Database, exits: list[date]
) -> None:
    first, last = exits[0] - timedelta(days=2), exits[-1] + timedelta(days=4)
    compute(built, first, last)
    together = stats(built)
    expected = built.query(WINDOWED, (first, last))
    assert len({row[0] for row in expected}) > len(exits)
    assert expected == stats(
        built,
        "as_of_date, is_all_tickers, ticker, strategy_type, asset_type, n_trades,"
        " expectancy_dollars, max_drawdown",
    )

    # Again, and in another extent: not even the time of the update moves.
    compute(built, first, last)
    assert stats(built) == together
    compute(built, exits[1], exits[1])
    assert stats(built) == together

    built.execute("truncate analytics.strategy_stats")
    # In another order; the first and the last have no exit in their window.
    for day in (last, exits[-1], first, exits[0] + timedelta(days=1)):
        one = {"as_of_date": str(day), "lookback_days": LOOKBACK_DAYS}
        dbt.build(built, "strategy_stats", vars=one)
    alone = stats(built)
    days = {row[0] for row in alone}
    assert days == {exits[0] + timedelta(days=1), exits[-1]}
    # The last column is updated_at.
    assert [row[:-1] for row in alone] == [
        row[:-1] for row in together if row[0] in days
    ]


def test_what_changed_moves_the_dates_that_count_it_and_no_other(
    built: Database, exits: list[date]
) -> None:
    first, last = exits[0], exits[-1]
    compute(built, first, last)
    before = stats(built)
    built.execute(
        "update analytics.position_history set net_pnl_dollars = net_pnl_dollars - 7,"
        " win_loss_label = sign(net_pnl_dollars - 7)"
        " where id = (select min(id::text)::uuid from analytics.position_history where"
        " (exit_time at time zone 'America/New_York')::date = %s"
        " and not is_opening_synthetic)",
        (last,),
    )
    compute(built, first, last)
    moved = {row[0] for row in set(stats(built)) - set(before)}
    assert moved == {last}
    # One time of the first run, one of the second.
    assert len({row[-1] for row in stats(built)}) == 2


def test_a_date_that_lost_its_exits_loses_its_rows(
    built: Database, exits: list[date]
) -> None:
    outside, first, last = exits[-1] + timedelta(days=1), exits[0], exits[-1]
    compute(built, first, outside)
    assert dates(built) >= {first, last, outside}
    built.execute("delete from analytics.position_history")
    # As it was left, the data test finds it.
    stayed = {"as_of_date_from": str(first), "as_of_date_until": str(last)}
    with pytest.raises(dbt.BuildError, match="assert_strategy_stats_cover_the_date"):
        dbt.run(
            built,
            ["test", "--select", "assert_strategy_stats_cover_the_date"],
            vars={**stayed, "lookback_days": LOOKBACK_DAYS},
        )
    compute(built, first, last)
    assert dates(built) == {outside}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"as_of_date_from": "2025-03-10"},
            "as_of_date_from and as_of_date_until are a range: give both",
        ),
        (
            {"as_of_date_from": "2025-03-10", "as_of_date_until": "2025-03-09"},
            "as_of_date_until (2025-03-09) is before as_of_date_from (2025-03-10)",
        ),
        (
            {"as_of_date_from": "2025-02-29", "as_of_date_until": "2025-03-09"},
            "not a date like 2025-03-10: 2025-02-29",
        ),
        ({"as_of_date": "yesterday"}, "not a date like 2025-03-10: yesterday"),
        (
            {"as_of_date": "2025-03-10", "as_of_date_until": "2025-03-10"},
            "as_of_date is one date, as_of_date_from and as_of_date_until are a range",
        ),
    ],
)
def test_what_is_no_range_is_refused_in_a_line(
    built: Database, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(dbt.BuildError) as refused:
        dbt.build(built, "strategy_stats", vars=variables)
    assert message in str(refused.value)
    assert stats(built) == []
