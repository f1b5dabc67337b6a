with positions as (
    select * from {{ ref('position_history') }}
    -- Of the others only the end was watched.
    where not is_opening_synthetic
),

dated as (
    select
        *,
        {{ trading_date('exit_time') }} as exit_date
    from positions
),

as_of as (
    {% if var('as_of_date') -%}
    select {{ date_literal(var('as_of_date')) }} as as_of_date
    {%- else -%}
    select max(exit_date) as as_of_date from dated
    {%- endif %}
),

-- Nothing after as_of_date is read, so that a date computed again gives the same rows.
windowed as (
    select
        as_of.as_of_date,
        {{ var('lookback_days') }} as lookback_days,
        dated.id,
        dated.ticker,
        coalesce(dated.strategy_type, 'unassigned') as strategy_type,
        case dated.instrument_type
            when 'CALL' then 'option'
            when 'PUT' then 'option'
            when 'CRYPTO' then 'crypto'
            else 'stock'
        end as asset_type,
        dated.pnl_pct,
        dated.net_pnl_dollars,
        dated.win_loss_label,
        -dated.worst_unrealized_pnl_pct as mae_pct,
        dated.best_unrealized_pnl_pct as mfe_pct,
        dated.holding_seconds / 60.0 as holding_minutes,
        dated.exit_time
    from dated
    inner join as_of
        on dated.exit_date <= as_of.as_of_date
        and dated.exit_date > as_of.as_of_date - {{ var('lookback_days') }}
)

select * from windowed
