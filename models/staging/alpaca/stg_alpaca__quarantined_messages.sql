select
    id as quarantine_id,
    account_name,
    reason_code,
    reason,
    source,
    message,
    received_at,
    quarantined_at
from {{ source('alpaca', 'quarantine') }}
