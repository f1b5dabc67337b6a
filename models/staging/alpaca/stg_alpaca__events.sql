select
    event_id,
    fill_event_id,
    account_name,
    order_id,
    symbol,
    event_type,
    source,
    event_id <> fill_event_id as is_alias,
    processed_at
from {{ source('alpaca', 'alpaca_event_dedupe') }}
