-- Lines of a recording as they were, made again from what is stored of them: a sample
-- that is the same each time and prefers nothing. A message is told from a REST row by
-- its shape, because an event's source may be that of its latest confirmation.
with fills as (
    select received_at, account_name, payload as message
    from raw.fills
    order by md5(event_id)
    limit %(limit)s
),

events as (
    select processed_at as received_at, account_name, event_data as message
    from raw.alpaca_event_dedupe
    order by md5(event_id)
    limit %(limit)s
),

unioned as (
    select * from fills
    union all
    select * from events
)

select
    json_build_object(
        'at', received_at,
        'from', case when message ? 'stream' then 'trade_updates' else 'activities' end,
        'account', account_name,
        'msg', message
    )::text as line
from unioned;
