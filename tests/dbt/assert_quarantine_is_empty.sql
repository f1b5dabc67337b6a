-- Each message could be read and contradicts nothing that is stored.
-- Why a warning: the others were written, but the facts of these are missing.
-- A returned row is a reason for quarantine with its number of messages.
{{ config(severity='warn') }}

select
    reason_code,
    count(*) as message_count,
    min(reason) as example_reason,
    max(quarantined_at) as last_quarantined_at
from {{ ref('stg_alpaca__quarantined_messages') }}
group by reason_code
