insert into raw.account_activities (
    account_name, activity_id, status, activity_type, activity_sub_type, activity_date,
    occurred_at, symbol, qty, price, net_amount, per_share_amount, group_id,
    description, received_at, payload
)
select
    account_name, activity_id, status, activity_type, activity_sub_type, activity_date,
    occurred_at, symbol, qty, price, net_amount, per_share_amount, group_id,
    description, received_at, line::jsonb -> 'msg'
from stage_activities
on conflict do nothing;
