-- Every id under which the loaded fills are known.
select event_id, fill_event_id
from raw.alpaca_event_dedupe
where fill_event_id = any(%(fill_event_ids)s);
