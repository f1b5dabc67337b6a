-- What would let a fill in twice.
select
    (select count(*) from raw.fills where kind = 'fill' and superseded_by is null) as live_fills,
    (
        select count(*)
        from raw.fills as fills
        left join raw.alpaca_event_dedupe as events on fills.event_id = events.event_id
        where events.event_id is null
    ) as without_event,
    (
        select count(*)
        from (
            select 1
            from raw.fills
            where kind = 'fill' and superseded_by is null and cum_qty is not null
            group by account_name, order_id, cum_qty
            having count(*) > 1
        ) as repeated
    ) as repeated,
    (
        select count(*)
        from raw.alpaca_event_dedupe as events
        left join raw.fills as fills on events.fill_event_id = fills.event_id
        where events.fill_event_id is not null and fills.event_id is null
    ) as nowhere;
