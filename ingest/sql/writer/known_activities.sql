select
    account_name, activity_id, status, activity_type, symbol, qty, price, net_amount,
    activity_date
from raw.account_activities
where activity_id = any(%(activity_ids)s);
