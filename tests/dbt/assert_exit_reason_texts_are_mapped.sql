-- Each exit reason that the dispatcher gives is a label or an alias of one. Another text
-- counts as `unknown`, never as a guess.
-- Why a warning: the positions are right, only their label can be better.
-- A returned row is a text to add to seeds/exit_reason_aliases.csv, with its number.
{{ config(severity='warn') }}

select
    exit_reason_raw,
    {{ folded('exit_reason_raw') }} as alias,
    count(*) as position_count
from {{ ref('position_history') }}
where
    exit_reason_source = 'dispatch'
    and exit_reason = 'unknown'
    and {{ folded('exit_reason_raw') }} <> 'unknown'
group by exit_reason_raw
