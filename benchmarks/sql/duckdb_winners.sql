-- From `reduced`: (position, leg_number, hi, lo: the extreme prices of each leg with
-- marks) to each position's MFE and MAE with their first instants. The instant is
-- looked up in the winning leg only, as in the project's own SQL.
with reduced as (
    {reduced}
), valued as (
    select
        l.position, l.leg_number, l.symbol_id, l.starts, l.ends,
        l.multiplier * (l.cash + l.quantity * l.price) as at_fill,
        case when l.quantity > 0 then r.hi else r.lo end as up_price,
        case when l.quantity > 0 then r.lo else r.hi end as down_price,
        l.multiplier * (l.cash + l.quantity * round(up_price * 10000)::bigint) as at_up,
        l.multiplier * (l.cash + l.quantity * round(down_price * 10000)::bigint) as at_down
    from legs l left join reduced r using (position, leg_number)
), extremes as (
    select
        position,
        max(greatest(at_fill, at_up)) as mfe,
        min(least(at_fill, at_down)) as mae
    from valued group by position
), winners as (
    select true as is_best, e.position, e.mfe as pnl, v.leg_number, v.symbol_id, v.starts, v.ends,
        v.up_price as price, coalesce(v.at_fill >= v.at_up, true) as by_fill
    from extremes e join valued v on v.position = e.position and greatest(v.at_fill, v.at_up) = e.mfe
    qualify row_number() over (partition by e.position order by v.leg_number) = 1
    union all
    select false, e.position, e.mae, v.leg_number, v.symbol_id, v.starts, v.ends,
        v.down_price, coalesce(v.at_fill <= v.at_down, true)
    from extremes e join valued v on v.position = e.position and least(v.at_fill, v.at_down) = e.mae
    qualify row_number() over (partition by e.position order by v.leg_number) = 1
), hours as (
    select
        is_best, position,
        unnest(range(epoch_us(starts) // 3600000000, epoch_us(ends) // 3600000000 + 1)) as hour
    from winners where not by_fill
), seen as (
    select w.is_best, w.position, min(m.ts) as happened
    from winners w
    join hours h using (is_best, position)
    join {marks} m on m.symbol_id = w.symbol_id and m.price = w.price
        and m.ts >= w.starts and m.ts < w.ends and epoch_us(m.ts) // 3600000000 = h.hour
    group by w.is_best, w.position
), timed as (
    select w.is_best, w.position, w.pnl, coalesce(s.happened, w.starts) as happened
    from winners w left join seen s using (is_best, position)
)
select
    b.position, b.pnl as mfe, b.happened as mfe_at, w.pnl as mae, w.happened as mae_at
from timed b join timed w on b.position = w.position
where b.is_best and not w.is_best
