-- The row remembers that REST stated its cum_qty: a later frame cannot change it back.
update raw.alpaca_event_dedupe set source = %(source)s where event_id = any(%(event_ids)s);
