-- strategy_stats in DuckDB: all roll-ups, all columns, from the closed positions.
with windowed as (
    select
        id,
        ticker,
        coalesce(strategy_type, 'unassigned') as strategy_type,
        case
            when instrument_type in ('CALL', 'PUT') then 'option'
            when instrument_type = 'CRYPTO' then 'crypto'
            else 'stock'
        end as asset_type,
        pnl_pct,
        net_pnl_dollars,
        win_loss_label,
        -worst_pct as mae_pct,
        best_pct as mfe_pct,
        holding_seconds / 60.0::double as holding_minutes,
        exit_time,
        (exit_time at time zone 'America/New_York')::date as exit_date
    from closed
), positions as (
    select * from windowed
    where exit_date > (select max(exit_date) from windowed) - {lookback_days}
), rolled_up as (
    select
        grouping(ticker, strategy_type, asset_type) as rollup_level,
        coalesce(ticker, 'ALL') as ticker,
        coalesce(strategy_type, 'ALL') as strategy_type,
        coalesce(asset_type, 'ALL') as asset_type,
        count(*)::double as n_trades,
        count(*) filter (where win_loss_label = 1)::double as wins,
        avg(pnl_pct) as avg_return,
        stddev_samp(pnl_pct) as return_deviation,
        avg(net_pnl_dollars) as expectancy_dollars,
        coalesce(sum(net_pnl_dollars) filter (where win_loss_label = 1), 0) as won,
        -sum(net_pnl_dollars) filter (where win_loss_label = -1) as lost,
        avg(net_pnl_dollars) filter (where win_loss_label = 1) as avg_win,
        -avg(net_pnl_dollars) filter (where win_loss_label = -1) as avg_loss,
        avg(mae_pct) as avg_mae,
        avg(mfe_pct) as avg_mfe,
        quantile_cont(mae_pct, [0.5, 0.7, 0.8, 0.9]) as mae,
        quantile_cont(mfe_pct, [0.5, 0.7, 0.8, 0.9]) as mfe,
        quantile_cont(pnl_pct, [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9]) as returned,
        avg(holding_minutes) filter (where win_loss_label = 1) as avg_hold_win_min,
        avg(holding_minutes) filter (where win_loss_label = -1) as avg_hold_loss_min,
        quantile_cont(holding_minutes, 0.5) filter (where win_loss_label = 1) as median_hold_win_min
    from positions
    group by cube (ticker, strategy_type, asset_type)
), levels as (
    select t + s + a as rollup_level, t, s, a
    from (values (0), (4)) as tickers (t), (values (0), (2)) as strategies (s), (values (0), (1)) as assets (a)
), expanded as (
    select
        rollup_level,
        case when t = 0 then ticker else 'ALL' end as ticker,
        case when s = 0 then strategy_type else 'ALL' end as strategy_type,
        case when a = 0 then asset_type else 'ALL' end as asset_type,
        id, exit_time, net_pnl_dollars
    from positions, levels
), running as (
    select *, sum(net_pnl_dollars) over trades as equity
    from expanded
    window trades as (
        partition by rollup_level, ticker, strategy_type, asset_type order by exit_time, id
        rows unbounded preceding
    )
), falling as (
    select *, greatest(0, max(equity) over trades) - equity as drawdown
    from running
    window trades as (
        partition by rollup_level, ticker, strategy_type, asset_type order by exit_time, id
        rows unbounded preceding
    )
), drawdowns as (
    select rollup_level, ticker, strategy_type, asset_type, max(drawdown) as max_drawdown
    from falling
    group by rollup_level, ticker, strategy_type, asset_type
)
select
    rollup_level >= 4 as is_all_tickers,
    ticker,
    strategy_type,
    asset_type,
    n_trades,
    wins / n_trades as win_rate,
    (wins + z * z / 2 - z * sqrt(wins * (n_trades - wins) / n_trades + z * z / 4)) / (n_trades + z * z)
        as win_rate_low,
    (wins + z * z / 2 + z * sqrt(wins * (n_trades - wins) / n_trades + z * z / 4)) / (n_trades + z * z)
        as win_rate_high,
    avg_return,
    returned[6] as median_return,
    expectancy_dollars,
    won / nullif(lost, 0) as profit_factor,
    avg_win / nullif(avg_loss, 0) as payoff_ratio,
    avg_mae,
    avg_mfe,
    mae[1] as mae_p50, mae[2] as mae_p70, mae[3] as mae_p80, mae[4] as mae_p90,
    mfe[1] as mfe_p50, mfe[2] as mfe_p70, mfe[3] as mfe_p80, mfe[4] as mfe_p90,
    returned[1] as return_p10, returned[2] as return_p20, returned[3] as return_p25,
    returned[4] as return_p30, returned[5] as return_p40, returned[6] as return_p50,
    returned[7] as return_p60, returned[8] as return_p70, returned[9] as return_p75,
    returned[10] as return_p80, returned[11] as return_p90,
    avg_hold_win_min,
    avg_hold_loss_min,
    median_hold_win_min,
    case when n_trades >= 30 then avg_return / nullif(return_deviation, 0) end as sharpe,
    max_drawdown
from (select *, 1.959963984540054::double as z from rolled_up)
inner join drawdowns using (rollup_level, ticker, strategy_type, asset_type)
