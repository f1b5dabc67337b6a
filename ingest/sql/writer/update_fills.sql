update raw.fills
set
    cum_qty = changed.cum_qty::numeric,
    superseded_by = changed.superseded_by,
    position_qty = changed.position_qty::numeric
from
    unnest(
        %(event_ids)s::text[],
        %(cum_qtys)s::text[],
        %(superseded_bys)s::text[],
        %(position_qtys)s::text[]
    ) as changed (event_id, cum_qty, superseded_by, position_qty)
where raw.fills.event_id = changed.event_id;
