insert into raw.account_activities (
    account_name, activity_id, status, activity_type, activity_sub_type, activity_date,
    occurred_at, symbol, qty, price, net_amount, per_share_amount, group_id,
    description, received_at, payload
)
select
    account_name, activity_id, status, activity_type, activity_sub_type, activity_date,
    occurred_at, symbol, qty, price, net_amount, per_share_amount, group_id,
    description, received_at, line::jsonb -> 'msg'
from json_to_recordset(%(rows)s) as stage (
    account_name text, activity_id text, status text, activity_type text,
    activity_sub_type text, activity_date date, occurred_at timestamptz, symbol text,
    qty numeric, price numeric, net_amount numeric, per_share_amount numeric,
    group_id text, description text, received_at timestamptz, line text
)
on conflict do nothing;
