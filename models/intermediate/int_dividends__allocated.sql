with positions as (
    select * from {{ ref('int_positions__derived') }}
),

legs as (
    select legs.*
    from positions
    inner join {{ ref('int_legs__built') }} as legs on positions.position_id = legs.position_id
    where legs.quantity_after <> 0
),

activities as (
    select * from {{ ref('stg_alpaca__account_activities') }}
    where activity_type like 'DIV%' and net_amount_dollars <> 0 and symbol is not null
),

timed as (
    select
        *,
        coalesce(occurred_at, {{ new_york_instant('activity_date', '16:00') }}) as paid_at
    from activities
),

-- A dividend belongs to the position that is open when it is paid. One that was closed
-- before does not get it: its statistics were published.
allocated as (
    select
        legs.position_id,
        timed.event_id as dividend_id,
        timed.net_amount_dollars as dividend_dollars
    from legs
    inner join timed
        on legs.account_name = timed.account_name
        and legs.symbol = timed.symbol
        and legs.leg_started_at <= timed.paid_at
        and legs.leg_ended_at > timed.paid_at
)

select * from allocated
