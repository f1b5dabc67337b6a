-- The plain range join.
select l.position, l.leg_number, max(m.price) as hi, min(m.price) as lo
from legs l
join {marks} m on m.symbol_id = l.symbol_id and m.ts >= l.starts and m.ts < l.ends
where l.quantity <> 0
group by l.position, l.leg_number
