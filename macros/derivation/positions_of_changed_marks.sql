{#
    Positions whose legs stand, to be derived again because of new marks: held while these
    were observed, or entered soon after a new quote, if only for the instant at which an
    hour begins. legs: a relation of the columns of int_legs__built.
#}
{% macro positions_of_changed_marks(legs) %}
select held.position_id
from {{ source('alpaca', 'changed_marks') }} as marked
cross join lateral (
    select legs.position_id
    from {{ legs }} as legs
    where
        legs.symbol_id = marked.symbol_id
        and legs.leg_ended_at >= marked.hour_at
        and legs.leg_started_at
        < marked.hour_at + interval '1 hour' + interval '{{ var("entry_quote_max_age_seconds") }} seconds'
        and legs.quantity_after <> 0
    -- One hour after the other, by the index: see legs_since_flat.
    offset 0
) as held
where marked.is_claimed
{% endmacro %}
