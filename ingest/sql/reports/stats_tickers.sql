-- Every ticker that has statistics for the date, strategy and asset type, most traded first.
select ticker
from analytics.strategy_stats
where
    as_of_date = %(as_of_date)s
    and lookback_days = %(lookback_days)s
    and not is_all_tickers
    and strategy_type = coalesce(%(strategy)s, 'ALL')
    and asset_type = coalesce(%(asset)s, 'ALL')
order by n_trades desc, ticker;
