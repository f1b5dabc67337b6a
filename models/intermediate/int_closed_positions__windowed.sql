{{ config(materialized='ephemeral') }}

with positions as (
    select * from {{ ref('position_history') }}
    -- Of the others only the end was watched.
    where not is_opening_synthetic
),

dates as (
    select * from {{ ref('int_strategy_stats__dates') }}
),

-- Nothing after as_of_date is read, so that a date computed again gives the same rows.
windowed as (
    select
        dates.as_of_date,
        positions.id,
        positions.ticker,
        coalesce(positions.strategy_type, 'unassigned') as strategy_type,
        case positions.instrument_type
            when 'CALL' then 'option'
            when 'PUT' then 'option'
            when 'CRYPTO' then 'crypto'
            else 'stock'
        end as asset_type,
        positions.pnl_pct,
        positions.net_pnl_dollars,
        positions.win_loss_label,
        -positions.worst_unrealized_pnl_pct as mae_pct,
        positions.best_unrealized_pnl_pct as mfe_pct,
        positions.holding_seconds / 60.0 as holding_minutes,
        positions.exit_time
    from dates
    inner join positions
        on dates.exits_from <= positions.exit_time
        and dates.exits_before > positions.exit_time
)

select * from windowed
