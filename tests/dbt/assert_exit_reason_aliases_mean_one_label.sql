-- Aliases that differ only in capitals and signs mean the same label: they are folded
-- before they are looked up.
-- A returned row is a folded text with the labels that it is given.
select
    {{ folded('alias') }} as folded_alias,
    min(label) as one_label,
    max(label) as other_label
from {{ ref('exit_reason_aliases') }}
group by 1
having count(distinct label) > 1
