-- Where positions that were watched from their opening were closed within the window of the date that strategy_stats is
-- computed for, it has rows for that date, and the grand total counts each of them.
-- Why: a statistic that is silently missing reads like a quiet market.
-- A returned row is a date whose grand total is missing or counts other positions.
with positions as (
    select {{ trading_date('exit_time') }} as exit_date
    from {{ ref('position_history') }}
    where not is_opening_synthetic
),

as_of as (
    {% if var('as_of_date') -%}
    select date '{{ var("as_of_date") }}' as as_of_date
    {%- else -%}
    select max(exit_date) as as_of_date from positions
    {%- endif %}
),

counted as (
    select
        as_of.as_of_date,
        count(*) as closed_count
    from positions
    inner join as_of
        on positions.exit_date <= as_of.as_of_date
        and positions.exit_date > as_of.as_of_date - {{ var('lookback_days') }}
    group by as_of.as_of_date
),

totals as (
    select * from {{ ref('strategy_stats') }}
    where
        lookback_days = {{ var('lookback_days') }}
        and is_all_tickers
        and strategy_type = 'ALL'
        and asset_type = 'ALL'
)

select
    counted.as_of_date,
    counted.closed_count,
    totals.n_trades
from counted
left join totals on counted.as_of_date = totals.as_of_date
where totals.n_trades is distinct from counted.closed_count
