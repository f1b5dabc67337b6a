with positions as (
    select * from {{ ref('int_positions__derived') }}
),

legs as (
    select legs.*
    from positions
    inner join {{ ref('int_legs__built') }} as legs on positions.position_id = legs.position_id
),

traded_legs as not materialized (
    {{ charged_legs(ref('int_legs__built')) }}
),

orders as (
    select * from {{ ref('stg_alpaca__orders') }}
    where commission_dollars <> 0
),

activities as (
    select
        *,
        {{ new_york_instant('activity_date + 1', '00:00') }} as charged_until_at
    from {{ ref('stg_alpaca__account_activities') }}
    where activity_type in ('FEE', 'CFEE') and net_amount_dollars <> 0
),

-- An order's commission goes to its executions by quantity, and where one of them
-- crosses zero on to the two positions, again by quantity.
charged_orders as (
    select distinct
        orders.account_name,
        orders.order_id,
        orders.commission_dollars
    from legs
    inner join orders
        on legs.account_name = orders.account_name and legs.order_id = orders.order_id
),

commissions as (
    select
        order_legs.position_id,
        'commission:' || charged_orders.order_id as fee_id,
        charged_orders.commission_dollars * abs(order_legs.signed_quantity)
        / sum(abs(order_legs.signed_quantity)) over (
            partition by charged_orders.account_name, charged_orders.order_id
        ) as fee_dollars
    from charged_orders
    inner join {{ ref('int_legs__built') }} as order_legs
        on charged_orders.account_name = order_legs.account_name
        and charged_orders.order_id = order_legs.order_id
),

lanes as (
    select distinct
        account_name,
        symbol
    from positions
),

charged_days as (
    select
        activities.event_id,
        activities.account_name,
        activities.symbol,
        -activities.net_amount_dollars as fee_dollars,
        {{ trading_date('last_trade.leg_started_at') }} as trading_date
    from lanes
    inner join activities
        on lanes.account_name = activities.account_name and lanes.symbol = activities.symbol
    cross join lateral (
        {{ last_trade_before('traded_legs', 'activities', 'activities.charged_until_at') }}
    ) as last_trade
),

day_fees as (
    select
        traded_legs.position_id,
        charged_days.event_id as fee_id,
        charged_days.fee_dollars * abs(traded_legs.signed_quantity)
        / sum(abs(traded_legs.signed_quantity)) over (
            partition by charged_days.event_id, charged_days.account_name
        ) as fee_dollars
    from charged_days
    inner join traded_legs
        on charged_days.account_name = traded_legs.account_name
        and charged_days.symbol = traded_legs.symbol
        and {{ is_on_trading_date('traded_legs.leg_started_at', 'charged_days.trading_date') }}
),

unioned as (
    select * from commissions
    union all
    select * from day_fees
),

-- Orders and days are charged whole; of their positions, those that are asked for.
allocated as (
    select unioned.*
    from positions
    inner join unioned on positions.position_id = unioned.position_id
)

select * from allocated
