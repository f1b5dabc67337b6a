insert into raw.dispatch_executions as stored (
    execution_uuid, recommendation_id, account_name, alpaca_order_id, client_order_id,
    intent, exit_reason, strategy_type, max_hold_minutes, stop_price, target_price,
    created_at
)
select
    execution_uuid, recommendation_id, account_name, alpaca_order_id, client_order_id,
    intent, exit_reason, strategy_type, max_hold_minutes, stop_price, target_price,
    created_at
from json_to_recordset(%(rows)s) as stage (
    execution_uuid uuid, recommendation_id text, account_name text,
    alpaca_order_id text, client_order_id text, intent text, exit_reason text,
    strategy_type text, max_hold_minutes integer, stop_price numeric,
    target_price numeric, created_at timestamptz
)
on conflict (execution_uuid) do update
set
    recommendation_id = coalesce(stored.recommendation_id, excluded.recommendation_id),
    alpaca_order_id = coalesce(stored.alpaca_order_id, excluded.alpaca_order_id),
    client_order_id = coalesce(stored.client_order_id, excluded.client_order_id),
    exit_reason = coalesce(stored.exit_reason, excluded.exit_reason),
    strategy_type = coalesce(stored.strategy_type, excluded.strategy_type),
    max_hold_minutes = coalesce(stored.max_hold_minutes, excluded.max_hold_minutes),
    stop_price = coalesce(stored.stop_price, excluded.stop_price),
    target_price = coalesce(stored.target_price, excluded.target_price),
    ingested_at = clock_timestamp();
