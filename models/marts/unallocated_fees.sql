with activities as (
    select * from {{ ref('stg_alpaca__account_activities') }}
    where activity_type in ('FEE', 'CFEE') and net_amount_dollars <> 0
),

allocated as (
    select distinct fee_id from {{ ref('int_fees__allocated') }}
),

final as (
    select
        activities.event_id,
        activities.account_name,
        activities.activity_date,
        activities.activity_sub_type,
        activities.symbol,
        activities.description,
        (-activities.net_amount_dollars)::numeric(38, 9) as fee_dollars
    from activities
    left join allocated on activities.event_id = allocated.fee_id
    where allocated.fee_id is null
)

select * from final
