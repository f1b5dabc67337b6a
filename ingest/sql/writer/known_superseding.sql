-- Busts and corrections that arrived before what they name.
select event_id, supersedes
from raw.fills
where supersedes = any(%(event_ids)s)
order by event_id;
