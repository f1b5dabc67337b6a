-- Two observations of one price at one instant are one mark. Where several meet there,
-- the tightest quote is kept, so that no order of delivery matters. What is stored as
-- good as sent is sorted out first: a conflict locks its row, which means to write it.
-- Tells how many marks were written of which symbols and UTC hours.
with written as (
    insert into raw.marks (ts, price, bid, ask, symbol_id, is_usable)
    select ts, price, nullif(bid, 'NaN'), nullif(ask, 'NaN'), symbol_id, price > 0
    from (
        select ts at time zone 'UTC' as ts, price, bid, ask, symbol_id
        from unnest(
            %(instants)s::timestamp [],
            %(prices)s::double precision [],
            %(bids)s::double precision [],
            %(asks)s::double precision [],
            %(symbol_ids)s::integer []
        ) as arrays (ts, price, bid, ask, symbol_id)
    ) as sent
    where not exists (
        select from raw.marks as stored
        where
            stored.symbol_id = sent.symbol_id
            and stored.ts = sent.ts
            and stored.price = sent.price
            and stored.ts >= %(since)s::timestamptz
            and stored.ts < %(until)s::timestamptz
            and (
                sent.bid = 'NaN'
                or (sent.bid, -sent.ask)
                <= (coalesce(stored.bid, '-infinity'), coalesce(-stored.ask, '-infinity'))
            )
    )
    on conflict (symbol_id, ts, price) do update
    set bid = excluded.bid, ask = excluded.ask
    where
        (excluded.bid, -excluded.ask)
        > (coalesce(raw.marks.bid, '-infinity'), coalesce(-raw.marks.ask, '-infinity'))
    returning symbol_id, ts
)

select symbol_id, date_trunc('hour', ts, 'UTC') as hour_at, count(*) as marks
from written
group by symbol_id, hour_at;
