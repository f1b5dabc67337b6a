-- The (ticker, strategy) pairs with most trades.
select
    ticker, strategy_type, n_trades, win_rate, win_rate_low, win_rate_high,
    median_return, expectancy_dollars, profit_factor, median_hold_win_min, is_reliable
from analytics.strategy_stats
where
    as_of_date = %(as_of_date)s
    and lookback_days = %(lookback_days)s
    and not is_all_tickers
    and strategy_type <> 'ALL'
    and (%(strategy)s::text is null or strategy_type = %(strategy)s)
    and asset_type = coalesce(%(asset)s, 'ALL')
order by n_trades desc, ticker, strategy_type
limit %(limit)s;
