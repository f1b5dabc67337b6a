-- The first day whose marks an open position needs: also its spread is taken from a
-- quote shortly before the entry.
select ((min(entry_time) - interval '1 hour') at time zone 'UTC')::date from analytics.active_positions;
