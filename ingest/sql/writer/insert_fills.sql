insert into raw.fills (
    event_id, kind, account_name, order_id, client_order_id, execution_id, supersedes,
    superseded_by, symbol, side, qty, price, cum_qty, position_qty, executed_at, source,
    received_at, payload
)
select
    event_id, kind, account_name, order_id, client_order_id, execution_id, supersedes,
    superseded_by, symbol, side, qty, price, cum_qty, position_qty, executed_at, source,
    received_at, line::jsonb -> 'msg'
from stage_fills
on conflict do nothing;
