select
    event_id,
    kind,
    account_name,
    order_id,
    client_order_id,
    execution_id,
    supersedes as supersedes_event_id,
    symbol,
    side,
    qty as quantity,
    case side when 'buy' then qty else -qty end as signed_quantity,
    price,
    cum_qty as cumulative_quantity,
    executed_at,
    received_at
from {{ source('alpaca', 'fills') }}
