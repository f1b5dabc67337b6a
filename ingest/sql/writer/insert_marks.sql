-- Two observations of one price at one instant are one mark. Where a trade and quotes
-- meet there, the tightest quote is kept, so that no order of delivery matters.
insert into raw.marks (ts, price, bid, ask, symbol_id, is_usable)
select ts, price, bid, ask, symbol_id, is_usable
from stage_marks
on conflict (symbol_id, ts, price) do update
set bid = excluded.bid, ask = excluded.ask
where excluded.bid > coalesce(raw.marks.bid, '-infinity'::double precision);
