{#
    What the usable marks of each leg say: how many, the highest and lowest price, the
    first and last instant. One index-only range scan a leg and no arithmetic per mark:
    within a leg the quantity is constant, so P&L is monotone in the price.

    Why not a range join or a window over all marks: both were measured to be slower.
    legs: a relation of legs (subset of int_legs__built, whole positions).
#}
{% macro leg_marks(legs) %}
select
    legs.position_id,
    legs.leg_number,
    observed.mark_count,
    observed.highest_price,
    observed.lowest_price,
    observed.first_mark_at,
    observed.last_mark_at
from {{ legs }} as legs
cross join lateral (
    select
        count(*) as mark_count,
        max(marks.price) as highest_price,
        min(marks.price) as lowest_price,
        min(marks.observed_at) as first_mark_at,
        max(marks.observed_at) as last_mark_at
    from {{ ref('stg_alpaca__marks') }} as marks
    where
        marks.symbol_id = legs.symbol_id
        and marks.observed_at >= legs.leg_started_at
        and marks.observed_at < legs.leg_ended_at
        -- The same as is_usable, but in the index.
        and marks.price > 0
) as observed
where legs.quantity_after <> 0 and observed.mark_count > 0
{% endmacro %}
