-- One row per closed position that a row of strategy_stats counts: the window of
-- int_closed_positions__windowed. Depths (MAE) are positive, all _pct are percent of
-- the entry notional.
select
    exit_reason,
    win_loss_label,
    pnl_pct,
    net_pnl_dollars,
    -worst_unrealized_pnl_pct as mae_pct,
    best_unrealized_pnl_pct as mfe_pct,
    best_unrealized_pnl_pct - pnl_pct as give_back_pct,
    holding_seconds / 60.0 as holding_minutes
from analytics.position_history
where
    (exit_time at time zone 'America/New_York')::date <= %(as_of_date)s
    and (exit_time at time zone 'America/New_York')::date
    > %(as_of_date)s::date - %(lookback_days)s
    and (%(ticker)s::text is null or ticker = %(ticker)s)
    and (%(strategy)s::text is null or coalesce(strategy_type, 'unassigned') = %(strategy)s);
