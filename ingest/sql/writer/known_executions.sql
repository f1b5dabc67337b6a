select
    execution_uuid::text, recommendation_id, account_name, alpaca_order_id,
    client_order_id, intent, exit_reason, strategy_type, max_hold_minutes, stop_price,
    target_price, created_at
from raw.dispatch_executions
where execution_uuid = any(%(ids)s::uuid[]);
