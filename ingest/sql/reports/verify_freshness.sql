-- What happened since the last build. The events come from a view on the raw schema, so
-- a position that is closed there and not in position_history waits for a build.
with events as (
    select * from analytics_intermediate.int_position_events__accumulated
),

legs as (
    select * from analytics_intermediate.int_legs__built
),

waiting as (
    select
        events.quantity_after = 0
        or sign(events.quantity_before) * sign(events.quantity_after) = -1 as is_closing
    from events
    left join legs
        on events.account_name = legs.account_name and events.event_id = legs.event_id
    where
        legs.event_id is null
        and (events.quantity_before <> 0 or events.quantity_after <> 0)
),

closed as (
    select distinct position_id
    from legs
    where not is_open_position
)

select
    (select count(*) from waiting) as waiting_events,
    (select count(*) from waiting where is_closing) as waiting_closes,
    (select count(*) from raw.changed_facts) as noted_facts,
    (select count(*) from raw.changed_marks) as noted_hours,
    (
        select count(*)
        from closed
        full join analytics.position_history as history on closed.position_id = history.id
        where history.id is null or closed.position_id is null
    ) as differing,
    (select count(*) from analytics.position_history) as positions,
    (select max(exit_time) from analytics.position_history) as newest_exit;
