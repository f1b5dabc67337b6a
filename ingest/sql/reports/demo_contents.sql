-- Whose data are stored: how many events of the sample are here, how many that it lacks,
-- and whether anything else is that it does not hold (an order, a decision, an ingester,
-- a symbol).
select
    (select count(*) from raw.alpaca_event_dedupe where event_id = any(%(event_ids)s)) as of_sample,
    (select count(*) from raw.alpaca_event_dedupe where event_id <> all(%(event_ids)s)) as of_others,
    exists (select from raw.orders where order_id <> all(%(order_ids)s))
    or exists (select from raw.dispatch_executions where execution_uuid <> all(%(execution_uuids)s::uuid[]))
    or exists (select from raw.dispatch_recommendations where recommendation_id <> all(%(recommendation_ids)s))
    or exists (select from raw.heartbeats)
    or exists (select from raw.instruments where symbol <> all(%(symbols)s)) as has_others;
