-- Closed positions, and the trading date of the newest exit among those that statistics
-- count: where the opening is synthetic only the end was watched.
select
    count(*) as positions,
    max((exit_time at time zone 'America/New_York')::date)
    filter (where not is_opening_synthetic) as newest_exit
from analytics.position_history;
