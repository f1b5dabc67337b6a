{#
    A view: what is asked is asked once a day, and a table would ask it of all fees at
    each build.
#}
{{ config(materialized='view') }}

with activities as (
    select
        *,
        {{ new_york_instant('activity_date + 1', '00:00') }} as charged_until_at
    from {{ ref('stg_alpaca__account_activities') }}
    where activity_type in ('FEE', 'CFEE') and net_amount_dollars <> 0
),

orders as (
    select * from {{ ref('stg_alpaca__orders') }}
    where commission_dollars <> 0
),

legs as (
    select * from {{ ref('int_legs__built') }}
),

traded_legs as not materialized (
    {{ charged_legs('legs') }}
),

-- What int_fees__allocated gives to no position: a fee that names no symbol, or one that
-- was not traded before; a commission of an order without a fill.
unallocated as (
    select
        activities.event_id as fee_id,
        activities.account_name,
        activities.activity_date,
        activities.activity_sub_type as fee_type,
        activities.symbol,
        activities.description,
        -activities.net_amount_dollars as fee_dollars
    from activities
    where
        not exists (
            {{ last_trade_before('traded_legs', 'activities', 'activities.charged_until_at') }}
        )

    union all

    select
        'commission:' || orders.order_id as fee_id,
        orders.account_name,
        {{ trading_date('orders.updated_at') }} as activity_date,
        'commission' as fee_type,
        orders.symbol,
        'commission of an order without a known fill' as description,
        orders.commission_dollars as fee_dollars
    from orders
    where not exists (
        select 1 from legs
        where legs.account_name = orders.account_name and legs.order_id = orders.order_id
    )
),

final as (
    select
        fee_id,
        account_name,
        activity_date,
        fee_type,
        symbol,
        description,
        fee_dollars::numeric(38, 9) as fee_dollars
    from unallocated
)

select * from final
