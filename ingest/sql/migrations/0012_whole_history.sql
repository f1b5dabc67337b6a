-- What looks at the whole history each night, and does not need whole rows.

-- Executions are asked for by lane, and each night all of them are compared with the
-- positions. The payload makes a row of raw.fills ten times as long as what is asked, so
-- the index has all of that and the table itself is left alone.
drop index raw.fills_lane;
create index fills_lane on raw.fills (account_name, symbol, executed_at)
include (event_id, kind, side, qty, price, order_id, cum_qty, supersedes);

-- Few orders cost a commission.
create index orders_commission on raw.orders (account_name, order_id) where commission <> 0;

-- The chain of each order is followed every night: read in its order, it need not be sorted.
create index fills_chain on raw.fills (account_name, order_id, cum_qty)
include (event_id, kind, symbol, executed_at, qty);
