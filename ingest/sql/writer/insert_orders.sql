-- The newest state wins by the broker's own clock, whatever order the copies came in.
-- What a state may leave out (the link to the parent, the legs, the commission) stays.
insert into raw.orders as stored (
    account_name, order_id, client_order_id, parent_order_id, symbol, asset_class, side,
    order_type, order_class, time_in_force, status, qty, notional, filled_qty,
    filled_avg_price, limit_price, stop_price, trail_price, trail_percent, commission,
    legs, submitted_at, updated_at, received_at, payload
)
select
    account_name, order_id, client_order_id, parent_order_id, symbol, asset_class, side,
    order_type, order_class, time_in_force, status, qty, notional, filled_qty,
    filled_avg_price, limit_price, stop_price, trail_price, trail_percent, commission,
    legs, submitted_at, updated_at, received_at, line::jsonb -> 'msg'
from json_to_recordset(%(rows)s) as stage (
    account_name text, order_id text, client_order_id text, parent_order_id text,
    symbol text, asset_class text, side text, order_type text, order_class text,
    time_in_force text, status text, qty numeric, notional numeric, filled_qty numeric,
    filled_avg_price numeric, limit_price numeric, stop_price numeric,
    trail_price numeric, trail_percent numeric, commission numeric, legs jsonb,
    submitted_at timestamptz, updated_at timestamptz, received_at timestamptz,
    line text
)
on conflict (account_name, order_id) do update
set
    client_order_id = excluded.client_order_id,
    parent_order_id = coalesce(stored.parent_order_id, excluded.parent_order_id),
    symbol = excluded.symbol,
    asset_class = excluded.asset_class,
    side = excluded.side,
    order_type = excluded.order_type,
    order_class = excluded.order_class,
    time_in_force = excluded.time_in_force,
    status = excluded.status,
    qty = excluded.qty,
    notional = excluded.notional,
    filled_qty = excluded.filled_qty,
    filled_avg_price = excluded.filled_avg_price,
    limit_price = excluded.limit_price,
    stop_price = excluded.stop_price,
    trail_price = excluded.trail_price,
    trail_percent = excluded.trail_percent,
    commission = coalesce(excluded.commission, stored.commission),
    legs = coalesce(excluded.legs, stored.legs),
    submitted_at = excluded.submitted_at,
    updated_at = excluded.updated_at,
    received_at = excluded.received_at,
    ingested_at = clock_timestamp(),
    payload = excluded.payload
where
    (excluded.updated_at, coalesce(excluded.filled_qty, 0), coalesce(excluded.status, ''))
    > (stored.updated_at, coalesce(stored.filled_qty, 0), coalesce(stored.status, ''))
    or (
        (excluded.updated_at, coalesce(excluded.filled_qty, 0), coalesce(excluded.status, ''))
        = (stored.updated_at, coalesce(stored.filled_qty, 0), coalesce(stored.status, ''))
        and excluded.received_at < stored.received_at
    );
