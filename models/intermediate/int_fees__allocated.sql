with order_legs as (
    select * from {{ ref('int_legs__built') }}
),

-- Apart from order_legs: a CTE that is read twice has no statistics and no index, and
-- the planner then joined orders to legs by looping over all pairs.
traded_legs as (
    select * from {{ ref('int_legs__built') }}
    where moves = 'trade' and event_type <> 'OPENING'
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
charged_orders as (
    select
        orders.account_name,
        orders.order_id,
        orders.commission_dollars,
        sum(abs(executions.signed_quantity)) as order_quantity
    from orders
    inner join executions
        on orders.account_name = executions.account_name and orders.order_id = executions.order_id
    group by orders.account_name, orders.order_id, orders.commission_dollars
),

commissions as (
    select
        order_legs.position_id,
        order_legs.leg_number,
        order_legs.account_name,
        'commission:' || charged_orders.order_id as fee_id,
        charged_orders.commission_dollars * abs(order_legs.signed_quantity)
        / charged_orders.order_quantity as fee_dollars
    from charged_orders
    inner join order_legs
        on charged_orders.account_name = order_legs.account_name
        and charged_orders.order_id = order_legs.order_id
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
    from traded_legs
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
        trading_days.account_name,
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
