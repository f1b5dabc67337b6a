-- Every ticker that has statistics for the date and strategy, most traded first.
select ticker
from analytics.strategy_stats
where
    as_of_date = %(as_of_date)s
    and lookback_days = %(lookback_days)s
    and not is_all_tickers
    and strategy_type = coalesce(%(strategy)s, 'ALL')
    and asset_type = 'ALL'
order by n_trades desc, ticker;
