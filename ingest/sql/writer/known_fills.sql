-- What is stored of the orders and events in a batch.
select
    fills.event_id, fills.kind, fills.account_name, fills.order_id, fills.symbol,
    fills.side, fills.qty, fills.price, fills.cum_qty, fills.source,
    fills.execution_id is not null as has_execution_id, fills.superseded_by,
    coalesce(events.source, fills.source) as cum_qty_source
from raw.fills as fills
left join raw.alpaca_event_dedupe as events on fills.event_id = events.event_id
where
    fills.order_id = any(%(order_ids)s)
    or fills.event_id = any(%(event_ids)s)
    or fills.event_id in (
        select dedupe.fill_event_id from raw.alpaca_event_dedupe as dedupe
        where dedupe.event_id = any(%(event_ids)s)
    );
