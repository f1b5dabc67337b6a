-- Each batch of the writer asks what is stored of its orders.
create index fills_order_id on raw.fills (order_id);
-- Each round of the comparison with the broker asks for the orders of the last days.
create index orders_updated_at on raw.orders (account_name, updated_at);

comment on table raw.fills is 'One row per execution. Append only: afterwards only cum_qty (REST wins over the stream), position_qty (which only the stream tells) and superseded_by ever change, the payload never.';
