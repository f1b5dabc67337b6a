-- The statistics of one ticker, or of all (ALL is also the ticker of a company: the
-- flag tells the two apart), one strategy, or all, and one type of asset, or all.
select
    n_trades, win_rate, win_rate_low, win_rate_high, avg_return, median_return,
    return_p10, return_p25, return_p75, return_p90, expectancy_dollars, profit_factor,
    payoff_ratio, sharpe, max_drawdown, avg_mae, avg_mfe, is_reliable
from analytics.strategy_stats
where
    as_of_date = %(as_of_date)s
    and lookback_days = %(lookback_days)s
    and is_all_tickers = (%(ticker)s::text is null)
    and ticker = coalesce(%(ticker)s, 'ALL')
    and strategy_type = coalesce(%(strategy)s, 'ALL')
    and asset_type = coalesce(%(asset)s, 'ALL');
