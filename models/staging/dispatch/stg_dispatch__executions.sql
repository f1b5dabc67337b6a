select
    execution_uuid,
    lower(recommendation_id) as recommendation_id,
    account_name,
    lower(alpaca_order_id) as order_id,
    client_order_id,
    intent,
    nullif(trim(exit_reason), '') as exit_reason,
    strategy_type,
    max_hold_minutes,
    stop_price,
    target_price,
    created_at
from {{ dispatch_rows('dispatch_executions') }}
