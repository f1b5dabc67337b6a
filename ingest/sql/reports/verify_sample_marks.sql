-- The newest marks of a sample of symbols.
select
    sampled.symbol,
    newest.ts,
    newest.price,
    newest.bid,
    newest.ask,
    newest.is_usable
from (
    select symbol_id, symbol
    from raw.instruments
    order by md5(symbol)
    limit %(limit)s
) as sampled
cross join lateral (
    select marks.ts, marks.price, marks.bid, marks.ask, marks.is_usable
    from raw.marks as marks
    where marks.symbol_id = sampled.symbol_id
    order by marks.ts desc
    limit 10
) as newest;
