insert into raw.fills (
    event_id, kind, account_name, order_id, client_order_id, execution_id, supersedes,
    superseded_by, symbol, side, qty, price, cum_qty, position_qty, executed_at, source,
    received_at, payload
)
select
    event_id, kind, account_name, order_id, client_order_id, execution_id, supersedes,
    superseded_by, symbol, side, qty, price, cum_qty, position_qty, executed_at, source,
    received_at, line::jsonb -> 'msg'
from json_to_recordset(%(rows)s) as stage (
    event_id text, kind text, account_name text, order_id text, client_order_id text,
    execution_id uuid, supersedes text, superseded_by text, symbol text, side text,
    qty numeric, price numeric, cum_qty numeric, position_qty numeric,
    executed_at timestamptz, source text, received_at timestamptz, line text
)
on conflict do nothing;
