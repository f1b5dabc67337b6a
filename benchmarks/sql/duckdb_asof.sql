-- ASOF per symbol: each mark finds the last start or end of any leg of its symbol, so
-- that legs of several accounts share the intervals between these; each leg then takes
-- the extremes of the intervals that it covers.
select l.position, l.leg_number, max(i.hi) as hi, min(i.lo) as lo
from legs l
join (
    select symbol_id, bound, max(price) as hi, min(price) as lo
    from (
        select b.symbol_id, b.bound, m.price
        from {marks} m
        asof join (
            select symbol_id, starts as bound from legs
            union
            select symbol_id, ends from legs
        ) b on m.symbol_id = b.symbol_id and m.ts >= b.bound
    )
    group by symbol_id, bound
) i on i.symbol_id = l.symbol_id and i.bound >= l.starts and i.bound < l.ends
where l.quantity <> 0
group by l.position, l.leg_number
