-- Each expiry, assignment, exercise and split finds an open position, and the first three
-- take no more than is open.
-- Why a warning: the events are right, and what is missing is a fill from before the
-- recording began, or one in a gap that catch-up has yet to close.
-- A returned row is an event that found less than it takes. One that found nothing is no
-- leg of any position.
{{ config(severity='warn') }}

with events as (
    select * from {{ ref('int_broker_events__interpreted') }}
    where moves in ('close', 'split')
),

found as (
    select
        events.account_name,
        events.symbol,
        events.event_id,
        events.event_type,
        events.moves,
        events.happened_at,
        events.amount,
        coalesce(abs(legs.quantity_after - legs.signed_quantity), 0) as quantity_before
    from events
    left join {{ ref('int_legs__built') }} as legs
        on events.account_name = legs.account_name
        and events.symbol = legs.symbol
        and events.event_id = legs.event_id
)

select * from found
where
    (moves = 'close' and amount > quantity_before)
    or (moves = 'split' and amount <> quantity_before)
