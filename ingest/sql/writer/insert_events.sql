insert into raw.alpaca_event_dedupe (
    event_id, event_type, account_name, order_id, symbol, source, fill_event_id, event_data
)
select
    event_id, event_type, account_name, order_id, symbol, source, fill_event_id,
    line::jsonb -> 'msg'
from json_to_recordset(%(rows)s) as stage (
    event_id text, event_type text, account_name text, order_id text, symbol text,
    source text, fill_event_id text, line text
)
on conflict (event_id) do nothing;
