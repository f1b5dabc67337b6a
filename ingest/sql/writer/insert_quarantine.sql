insert into raw.quarantine (
    reason_code, reason, source, account_name, message, message_hash, received_at
)
select reason_code, reason, source, account_name, message, message_hash, received_at
from json_to_recordset(%(rows)s) as stage (
    reason_code text, reason text, source text, account_name text, message text,
    message_hash text, received_at timestamptz
)
on conflict (message_hash) do nothing;
