insert into raw.quarantine (
    reason_code, reason, source, account_name, message, message_hash, received_at
)
select reason_code, reason, source, account_name, message, message_hash, received_at
from stage_quarantine
on conflict (message_hash) do nothing;
