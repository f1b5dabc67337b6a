-- One row per computed (as_of_date, lookback_days), newest first.
select as_of_date, lookback_days
from analytics.strategy_stats
group by as_of_date, lookback_days
order by as_of_date desc, lookback_days desc;
