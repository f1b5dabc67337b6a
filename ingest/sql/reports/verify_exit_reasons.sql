-- Labels that the seed does not have, and texts of the dispatcher that no alias maps.
with history as (
    select
        history.exit_reason,
        history.exit_reason_raw,
        labels.label is null as is_strange,
        history.exit_reason = 'unknown'
        and history.exit_reason_source = 'dispatch'
        and lower(history.exit_reason_raw) <> 'unknown' as is_unmapped
    from analytics.position_history as history
    left join analytics.exit_reasons as labels on history.exit_reason = labels.label
)

select
    count(*) as positions,
    count(distinct exit_reason) as labels,
    count(*) filter (where is_strange) as strange,
    array_agg(distinct coalesce(exit_reason, 'null')) filter (where is_strange) as strange_labels,
    count(*) filter (where is_unmapped) as unmapped,
    array_agg(distinct exit_reason_raw) filter (where is_unmapped) as unmapped_texts
from history;
