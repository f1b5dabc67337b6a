with activities as (
    select * from {{ ref('stg_alpaca__account_activities') }}
    where activity_type in ('FEE', 'CFEE') and net_amount_dollars <> 0
),

orders as (
    select * from {{ ref('stg_alpaca__orders') }}
    where commission_dollars <> 0
),

allocated as (
    select distinct
        account_name,
        fee_id
    from {{ ref('int_fees__allocated') }}
),

charged as (
    select
        event_id as fee_id,
        account_name,
        activity_date,
        activity_sub_type as fee_type,
        symbol,
        description,
        -net_amount_dollars as fee_dollars
    from activities

    union all

    select
        'commission:' || order_id as fee_id,
        account_name,
        {{ trading_date('updated_at') }} as activity_date,
        'commission' as fee_type,
        symbol,
        'commission of an order without a known fill' as description,
        commission_dollars as fee_dollars
    from orders
),

final as (
    select
        charged.fee_id,
        charged.account_name,
        charged.activity_date,
        charged.fee_type,
        charged.symbol,
        charged.description,
        charged.fee_dollars::numeric(38, 9) as fee_dollars
    from charged
    left join allocated
        on charged.account_name = allocated.account_name and charged.fee_id = allocated.fee_id
    where allocated.fee_id is null
)

select * from final
