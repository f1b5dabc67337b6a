-- Of each symbol the newest mark from one instant until before another: one probe of
-- the index a symbol and day.
select wanted.symbol_id, newest.ts
from unnest(%(symbol_ids)s) as wanted (symbol_id)
cross join lateral (
    select max(marks.ts) as ts
    from raw.marks
    where
        marks.symbol_id = wanted.symbol_id
        and marks.ts >= %(since)s::timestamptz
        and marks.ts < %(until)s::timestamptz
) as newest
where newest.ts is not null
