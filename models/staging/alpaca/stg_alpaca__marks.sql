select
    symbol_id,
    price,
    bid,
    ask,
    is_usable,
    ts as observed_at
from {{ source('alpaca', 'marks') }}
