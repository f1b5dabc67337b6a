-- One row per closed position that a row of strategy_stats counts: the window of
-- int_closed_positions__windowed. Depths (MAE) are positive, all _pct are percent of
-- the entry notional.
with dated as (
    select
        *,
        (exit_time at time zone 'America/New_York')::date as exit_date,
        case
            when instrument_type in ('CALL', 'PUT') then 'option'
            when instrument_type = 'CRYPTO' then 'crypto'
            else 'stock'
        end as asset_type
    from analytics.position_history
    where not is_opening_synthetic
)

select
    asset_type,
    exit_reason,
    win_loss_label,
    pnl_pct,
    net_pnl_dollars,
    -worst_unrealized_pnl_pct as mae_pct,
    best_unrealized_pnl_pct as mfe_pct,
    best_unrealized_pnl_pct - pnl_pct as give_back_pct,
    holding_seconds / 60.0 as holding_minutes
from dated
where
    exit_date <= %(as_of_date)s
    and exit_date > %(as_of_date)s::date - %(lookback_days)s
    and (%(ticker)s::text is null or ticker = %(ticker)s)
    and (%(strategy)s::text is null or coalesce(strategy_type, 'unassigned') = %(strategy)s)
    and (%(asset)s::text is null or asset_type = %(asset)s);
