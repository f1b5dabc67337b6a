-- Parameters: parallel arrays, one element per account. A daemon that just started
-- knows of no event yet: what is stored then stays.
insert into raw.heartbeats as stored (
    account_name, live_since, last_event_at, last_catchup_at, spool_depth,
    started_at, beat_at
)
select
    account_name,
    live_since,
    last_event_at,
    last_catchup_at,
    %(spool_depth)s,
    %(started_at)s,
    clock_timestamp()
from unnest(
    %(account_name)s::text [],
    %(live_since)s::timestamptz [],
    %(last_event_at)s::timestamptz [],
    %(last_catchup_at)s::timestamptz []
) as beat (account_name, live_since, last_event_at, last_catchup_at)
on conflict (account_name) do update set
    live_since = excluded.live_since,
    last_event_at = coalesce(excluded.last_event_at, stored.last_event_at),
    last_catchup_at = coalesce(excluded.last_catchup_at, stored.last_catchup_at),
    spool_depth = excluded.spool_depth,
    started_at = excluded.started_at,
    beat_at = excluded.beat_at
