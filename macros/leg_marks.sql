{#
    What the usable marks of each day of a leg say: how many, the highest and lowest price
    with their first instants, the first and last instant. One index-only range scan of one
    partition each, and no arithmetic per mark: within a leg the quantity is constant, so
    P&L is monotone in the price.

    Why not a range join or a window over all marks: both were measured to be slower.
    leg_days: a relation of the columns of int_leg_days__touched.
    day: the UTC day that is asked for, see each_day().
#}
{% macro leg_marks(leg_days, day=none) %}
select
    leg_days.position_id,
    leg_days.leg_number,
    leg_days.observed_date,
    observed.mark_count,
    observed.highest_price,
    highest.observed_at as highest_at,
    observed.lowest_price,
    lowest.observed_at as lowest_at,
    observed.first_mark_at,
    observed.last_mark_at
from {{ leg_days }} as leg_days
cross join lateral (
    select
        count(*) as mark_count,
        max(marks.price) as highest_price,
        min(marks.price) as lowest_price,
        min(marks.observed_at) as first_mark_at,
        max(marks.observed_at) as last_mark_at
    from {{ ref('stg_alpaca__marks') }} as marks
    where
        {{ is_mark_of_leg_day(day) }}
) as observed
cross join lateral ({{ first_mark_at_price('observed.highest_price', day) }}) as highest
cross join lateral ({{ first_mark_at_price('observed.lowest_price', day) }}) as lowest
where
    observed.mark_count > 0
    {% if day %}and leg_days.observed_date = {{ date_literal(day) }}{% endif %}
{% endmacro %}


{# A query, within leg_marks(): the first instant at which a price was observed. #}
{% macro first_mark_at_price(price, day) %}
select min(marks.observed_at) as observed_at
from {{ ref('stg_alpaca__marks') }} as marks
where
    marks.symbol_id = leg_days.symbol_id
    and marks.observed_at >= observed.first_mark_at
    and marks.observed_at <= observed.last_mark_at
    and (marks.price = {{ price }}) is true
    {{ of_day('marks.observed_at', day) }}
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
