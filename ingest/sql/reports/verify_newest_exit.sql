-- The trading date of the newest exit; null where nothing was ever closed.
select max((exit_time at time zone 'America/New_York')::date) as newest_exit
from analytics.position_history;
