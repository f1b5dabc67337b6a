with legs as (
    select * from {{ ref('int_legs__built') }}
),

executions as (
    select * from {{ ref('int_executions__resolved') }}
),

orders as (
    select * from {{ ref('stg_alpaca__orders') }}
    where commission_dollars <> 0
),

activities as (
    select * from {{ ref('stg_alpaca__account_activities') }}
    where activity_type in ('FEE', 'CFEE') and net_amount_dollars <> 0
),

-- An order's commission goes to its executions by quantity, and where one of them
-- crosses zero on to the two positions, again by quantity.
order_quantities as (
    select
        account_name,
        order_id,
        sum(abs(signed_quantity)) as order_quantity
    from executions
    group by account_name, order_id
),

commissions as (
    select
        legs.position_id,
        legs.leg_number,
        'commission:' || orders.order_id as fee_id,
        orders.commission_dollars * abs(legs.signed_quantity) / order_quantities.order_quantity as fee_dollars
    from orders
    inner join order_quantities
        on orders.account_name = order_quantities.account_name
        and orders.order_id = order_quantities.order_id
    inner join legs
        on orders.account_name = legs.account_name and orders.order_id = legs.order_id
),

-- A fee row that names a symbol belongs to the fills of the last trading date on or
-- before its own: brokers post it a day later.
trading_days as (
    select
        position_id,
        leg_number,
        account_name,
        symbol,
        {{ trading_date('leg_started_at') }} as trading_date,
        abs(signed_quantity) as quantity
    from legs
    where moves = 'trade'
),

charged_days as (
    select
        activities.event_id,
        activities.account_name,
        activities.symbol,
        -activities.net_amount_dollars as fee_dollars,
        max(trading_days.trading_date) as trading_date
    from activities
    inner join trading_days
        on activities.account_name = trading_days.account_name
        and activities.symbol = trading_days.symbol
        and activities.activity_date >= trading_days.trading_date
    group by activities.event_id, activities.account_name, activities.symbol, activities.net_amount_dollars
),

day_fees as (
    select
        trading_days.position_id,
        trading_days.leg_number,
        charged_days.event_id as fee_id,
        charged_days.fee_dollars * trading_days.quantity
        / sum(trading_days.quantity) over (partition by charged_days.event_id, charged_days.account_name) as fee_dollars
    from charged_days
    inner join trading_days
        on charged_days.account_name = trading_days.account_name
        and charged_days.symbol = trading_days.symbol
        and charged_days.trading_date = trading_days.trading_date
),

unioned as (
    select * from commissions
    union all
    select * from day_fees
)

select * from unioned
