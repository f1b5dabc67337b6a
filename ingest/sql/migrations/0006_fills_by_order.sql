-- Each batch of the writer asks what is stored of its orders.
create index fills_order_id on raw.fills (order_id);
