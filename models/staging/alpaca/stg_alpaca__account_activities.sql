-- An activity's status can change later. Which version counts is told by the status,
-- not by arrival: a cancellation is final, a correction replaces the first version. Not
-- by a window over all of them: whoever asks for one symbol reads one symbol.
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
from {{ source('alpaca', 'account_activities') }} as activities
where
    status <> 'canceled'
    and not exists (
        select 1 from {{ source('alpaca', 'account_activities') }} as other
        where
            other.account_name = activities.account_name
            and other.activity_id = activities.activity_id
            and other.activity_type = activities.activity_type
            and (case other.status when 'canceled' then 1 when 'correct' then 2 else 3 end, other.status)
            < (case activities.status when 'canceled' then 1 when 'correct' then 2 else 3 end, activities.status)
    )
