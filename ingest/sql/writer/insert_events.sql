insert into raw.alpaca_event_dedupe (
    event_id, event_type, account_name, order_id, symbol, source, fill_event_id, event_data
)
select
    event_id, event_type, account_name, order_id, symbol, source, fill_event_id,
    line::jsonb -> 'msg'
from stage_events
on conflict (event_id) do nothing;
