{#
    What the usable marks of each day of a leg say: how many, the highest and lowest price,
    the first and last instant. One index-only range scan of one partition each, and no
    arithmetic per mark: within a leg the quantity is constant, so P&L is monotone in the
    price.

    Why not a range join or a window over all marks: both were measured to be slower.
    leg_days: a relation of the columns of int_leg_days__touched.
    within: which marks can be meant at all, from marks_within().
#}
{% macro leg_marks(leg_days, within='') %}
select
    leg_days.position_id,
    leg_days.leg_number,
    leg_days.observed_date,
    observed.mark_count,
    observed.highest_price,
    observed.lowest_price,
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
        marks.symbol_id = leg_days.symbol_id
        and marks.observed_at >= leg_days.observed_from
        and marks.observed_at < leg_days.observed_until
        -- The same as is_usable, but in the index.
        and marks.price > 0
        {{ within }}
) as observed
where observed.mark_count > 0
{% endmacro %}


{#
    A condition on `marks` that names the span of instants in a relation, as constants:
    with them the planner looks at the days of that span only, of years of partitions.
    Nothing for a build of everything.
#}
{% macro marks_within(relation, first_at, last_at) -%}
    {%- if not execute or not derives_some() or load_relation(relation) is none -%}{{ return('') }}{%- endif -%}
    {%- set span = run_query(
        "select coalesce(min(" ~ first_at ~ "), 'infinity')::text, coalesce(max(" ~ last_at ~ "), '-infinity')::text"
        ~ " from " ~ relation
    ).rows[0] -%}
and marks.observed_at >= '{{ span[0] }}'::timestamptz and marks.observed_at <= '{{ span[1] }}'::timestamptz
{%- endmacro %}
