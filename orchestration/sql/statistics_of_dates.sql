-- One row: how many rows the dates have together, and what all tickers and strategies
-- together say of the last of them; null where no trade ended in the days that it looks
-- back on.
with stats as (
    select *
    from analytics.strategy_stats
    where as_of_date between %(first)s::date and %(last)s::date
),

everything as (
    select *
    from stats
    where
        as_of_date = %(last)s::date
        and is_all_tickers
        and strategy_type = 'ALL'
        and asset_type = 'ALL'
)

select
    (select count(*) from stats) as row_count,
    everything.n_trades,
    round(100 * everything.win_rate::numeric, 1)::text as win_rate_pct,
    round(everything.expectancy_dollars::numeric, 2)::text as expectancy_dollars
from (select) as always
left join everything on true
