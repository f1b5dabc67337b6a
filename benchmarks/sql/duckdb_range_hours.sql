-- The range join within equal hours: a leg appears once in each hour that it touches.
select l.position, l.leg_number, max(m.price) as hi, min(m.price) as lo
from (
    select
        position, leg_number, symbol_id, starts, ends,
        unnest(range(epoch_us(starts) // 3600000000, epoch_us(ends) // 3600000000 + 1)) as hour
    from legs where quantity <> 0
) l
join {marks} m on m.symbol_id = l.symbol_id and epoch_us(m.ts) // 3600000000 = l.hour
    and m.ts >= l.starts and m.ts < l.ends
group by l.position, l.leg_number
