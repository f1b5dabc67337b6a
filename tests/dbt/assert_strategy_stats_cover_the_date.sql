-- For every date that strategy_stats is computed for, its grand total counts each position that was watched from its
-- opening and closed within the window of the date. A date without one has no grand total.
-- Why: a statistic that is silently missing reads like a quiet market, and one that stayed behind like a busy one.
-- A returned row is a date whose grand total is missing, counts other positions, or is of none.
{% set asked = as_of_range() %}

with days as (
    select
        {{ trading_date('exit_time') }} as exit_date,
        count(*) as closed_count
    from {{ ref('position_history') }}
    where not is_opening_synthetic
    group by exit_date
),

as_of as (
    {% if asked -%}
    select {{ date_literal(asked[0]) }} + number as as_of_date
    from generate_series(0, {{ date_literal(asked[1]) }} - {{ date_literal(asked[0]) }}) as asked (number)
    {%- else -%}
    select max(exit_date) as as_of_date from days
    {%- endif %}
),

counted as (
    select
        as_of.as_of_date,
        coalesce(sum(days.closed_count), 0) as closed_count
    from as_of
    left join days
        on as_of.as_of_date >= days.exit_date
        and as_of.as_of_date - {{ var('lookback_days') }} < days.exit_date
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
where totals.n_trades is distinct from nullif(counted.closed_count, 0)
