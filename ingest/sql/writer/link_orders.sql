-- What an older copy of an order knows and the newest does not say.
update raw.orders as stored
set
    parent_order_id = coalesce(stored.parent_order_id, stage.parent_order_id),
    legs = coalesce(stored.legs, stage.legs),
    commission = coalesce(stored.commission, stage.commission),
    ingested_at = clock_timestamp()
from json_to_recordset(%(rows)s) as stage (
    account_name text, order_id text, parent_order_id text, commission numeric,
    legs jsonb
)
where
    stored.account_name = stage.account_name
    and stored.order_id = stage.order_id
    and (
        (stored.parent_order_id is null and stage.parent_order_id is not null)
        or (stored.legs is null and stage.legs is not null)
        or (stored.commission is null and stage.commission is not null)
    );
