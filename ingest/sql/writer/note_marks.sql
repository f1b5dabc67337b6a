-- Where a row is there already it is locked, not left alone: a build that takes it away
-- waits for the marks of this transaction, which it would miss otherwise. In the order
-- of the key, in which a build locks them too.
insert into raw.changed_marks (symbol_id, hour_at)
select symbol_id, hour_at at time zone 'UTC'
from unnest(%(symbol_ids)s::integer [], %(hours)s::timestamp []) as noted (symbol_id, hour_at)
order by symbol_id, hour_at
on conflict (symbol_id, hour_at, is_claimed) do update
set hour_at = excluded.hour_at
where false;
