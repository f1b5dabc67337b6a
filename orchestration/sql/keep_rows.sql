-- The rows as the nights made them, for this connection alone.
create temporary table kept_positions as
select id, to_jsonb(position_history) as kept from analytics.position_history;

create temporary table kept_statistics as
select
    as_of_date, is_all_tickers, ticker, strategy_type, asset_type,
    to_jsonb(strategy_stats) - 'updated_at' as kept
from analytics.strategy_stats
where as_of_date = (select max(as_of_date) from analytics.strategy_stats)
