-- What is stored of the orders and events in a batch. First the ids, each from an index:
-- one condition over all three would read the whole table.
with wanted as (
    select event_id from raw.fills where order_id = any(%(order_ids)s)
    union
    select event_id from raw.fills where event_id = any(%(event_ids)s)
    union
    select fill_event_id from raw.alpaca_event_dedupe where event_id = any(%(event_ids)s)
)

select
    fills.event_id, fills.kind, fills.account_name, fills.order_id, fills.symbol,
    fills.side, fills.qty, fills.price, fills.cum_qty, fills.source,
    fills.execution_id is not null as has_execution_id, fills.superseded_by,
    coalesce(events.source, fills.source) as cum_qty_source,
    fills.position_qty
from wanted
inner join raw.fills as fills on wanted.event_id = fills.event_id
left join raw.alpaca_event_dedupe as events on fills.event_id = events.event_id;
