with legs as (
    select * from {{ ref('int_legs__built') }}
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
    from timed
    inner join legs
        on timed.account_name = legs.account_name
        and timed.symbol = legs.symbol
        and timed.paid_at >= legs.leg_started_at
        and timed.paid_at < legs.leg_ended_at
        and legs.quantity_after <> 0
)

select * from allocated
