{#
    What the usable marks of each day of a leg say: how many, the highest and lowest price
    with their first instants, the first and last instant. One index-only range scan of one
    partition each, and no arithmetic per mark: within a leg the quantity is constant, so
    P&L is monotone in the price. The place of a price in its array is that of its instant;
    to ask the index again for the two instants was measured to take a third longer. (From
    PostgreSQL 16 on, the arrays come in the order of the index, and nothing is sorted.)

    Why not a range join or a window over all marks: both were measured to be slower.
    leg_days: a relation of the columns of int_leg_days__touched.
    day: the UTC day that is asked for, see each_day().
#}
{% macro leg_marks(leg_days, day=none) %}
select
    leg_days.position_id,
    leg_days.leg_number,
    leg_days.observed_date,
    cardinality(observed.instants)::bigint as mark_count,
    observed.highest_price,
    observed.instants[array_position(observed.prices, observed.highest_price)] as highest_at,
    observed.lowest_price,
    observed.instants[array_position(observed.prices, observed.lowest_price)] as lowest_at,
    observed.instants[1] as first_mark_at,
    observed.instants[cardinality(observed.instants)] as last_mark_at
from {{ leg_days }} as leg_days
cross join lateral (
    select
        max(marks.price) as highest_price,
        min(marks.price) as lowest_price,
        array_agg(marks.price order by marks.observed_at) as prices,
        array_agg(marks.observed_at order by marks.observed_at) as instants
    from {{ ref('stg_alpaca__marks') }} as marks
    where
        {{ is_mark_of_leg_day(day) }}
) as observed
where
    observed.instants is not null
    {% if day %}and leg_days.observed_date = {{ date_literal(day) }}{% endif %}
{% endmacro %}


{#
    A condition on a row of marks and one of leg_days: the mark is one of that day of the
    leg, and usable. The last is the same as is_usable, but of columns in the index; and no
    condition of the index, which compares it more slowly.
#}
{% macro is_mark_of_leg_day(day) -%}
marks.symbol_id = leg_days.symbol_id
        and marks.observed_at >= leg_days.observed_from
        and marks.observed_at < leg_days.observed_until
        and (marks.price > 0) is true
        {{ of_day('marks.observed_at', day) }}
{%- endmacro %}
