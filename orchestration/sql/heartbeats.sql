-- One row per account of an ingester, as it last wrote it.
select
    account_name,
    beat_at::text as beat_at,
    last_event_at::text as last_event_at,
    live_since is not null as is_live,
    spool_depth
from raw.heartbeats
order by account_name
