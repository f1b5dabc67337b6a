with source as (
    select * from {{ source('alpaca', 'account_activities') }}
),

-- An activity's status can change later. Which version counts is told by the status,
-- not by arrival: a cancellation is final, a correction replaces the first version.
ranked as (
    select
        *,
        row_number() over (
            partition by account_name, activity_type, activity_id
            order by
                case status when 'canceled' then 1 when 'correct' then 2 else 3 end,
                status
        ) as version_rank
    from source
),

renamed as (
    select
        'nta:' || activity_type || ':' || activity_id as event_id,
        account_name,
        activity_id,
        group_id,
        symbol,
        activity_type,
        activity_sub_type,
        status,
        description,
        qty as quantity,
        price,
        net_amount as net_amount_dollars,
        activity_date,
        occurred_at,
        received_at
    from ranked
    where version_rank = 1 and status <> 'canceled'
)

select * from renamed
