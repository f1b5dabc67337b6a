select
    account_name,
    order_id,
    client_order_id,
    parent_order_id,
    symbol,
    side,
    order_type,
    order_class,
    status,
    limit_price,
    stop_price,
    commission as commission_dollars,
    legs is not null as has_legs,
    updated_at
from {{ source('alpaca', 'orders') }}
