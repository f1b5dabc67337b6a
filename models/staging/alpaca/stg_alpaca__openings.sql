select
    'opening:' || account_name || ':' || symbol as event_id,
    account_name,
    symbol,
    qty as signed_quantity,
    price,
    price_source,
    reason,
    opened_at,
    ingested_at as received_at
from {{ source('alpaca', 'openings') }}
