-- As duckdb_asof.sql, on one number made of symbol and time.
select l.position, l.leg_number, max(i.hi) as hi, min(i.lo) as lo
from legs l
join (
    select bound, max(price) as hi, min(price) as lo
    from (
        select b.bound, m.price
        from {marks} m
        asof join (
            select key_starts as bound from legs
            union
            select key_ends from legs
        ) b on m.key >= b.bound
    )
    group by bound
) i on i.bound >> 51 = l.symbol_id and i.bound >= l.key_starts and i.bound < l.key_ends
where l.quantity <> 0
group by l.position, l.leg_number
