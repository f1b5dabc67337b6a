-- What the ingesters last wrote of themselves; ages by the database's own clock.
select
    account_name,
    live_since,
    last_event_at,
    last_catchup_at,
    spool_depth,
    started_at,
    beat_at,
    extract(epoch from clock_timestamp() - beat_at)::double precision
        as beat_age_seconds
from raw.heartbeats
order by account_name
