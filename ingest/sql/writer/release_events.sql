delete from raw.alpaca_event_dedupe where event_id = any(%(event_ids)s);
