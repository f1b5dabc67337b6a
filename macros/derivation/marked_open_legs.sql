{#
    What the usable marks of each open leg say up to now: its highest and lowest price and
    the last instant, and that one's price where it was asked for by the last build and
    nothing came since. What that build reduced stands, and what came since is read. One row
    per leg with marks. legs: a relation of the columns of int_open_legs__current.
#}
{% macro marked_open_legs(legs) %}
with held as (
    select * from {{ legs }}
    where quantity_after <> 0
),

changed_marks as (
    select * from {{ source('alpaca', 'changed_marks') }}
),

-- Of a leg that was built again nothing is known yet; of the others, what came since.
spans as (
    select
        position_id,
        leg_number,
        symbol_id,
        leg_started_at as from_at,
        leg_ended_at as until_at
    from held
    where is_rebuilt

    union all

    select
        held.position_id,
        held.leg_number,
        held.symbol_id,
        greatest(held.leg_started_at, min(changed_marks.hour_at)) as from_at,
        least(held.leg_ended_at, max(changed_marks.hour_at) + interval '1 hour') as until_at
    from held
    inner join changed_marks
        on held.symbol_id = changed_marks.symbol_id
        and held.leg_ended_at > changed_marks.hour_at
        and held.leg_started_at < changed_marks.hour_at + interval '1 hour'
    where not held.is_rebuilt
    group by
        held.position_id,
        held.leg_number,
        held.symbol_id,
        held.leg_started_at,
        held.leg_ended_at,
        {{ utc_date('changed_marks.hour_at') }}
),

numbered as materialized (
    select
        *,
        row_number() over (order by position_id, leg_number, from_at) as span_number
    from spans
),

answered as materialized (
    {{ reduced_spans('numbered') }}
),

live as (
    select
        numbered.position_id,
        numbered.leg_number,
        answered.highest_price,
        answered.lowest_price,
        answered.last_mark_at,
        null::numeric as last_mark_price,
        true as is_live
    from answered
    inner join numbered on answered.span_number = numbered.span_number
),

stored as (
    select
        marked.position_id,
        marked.leg_number,
        marked.highest_price,
        marked.lowest_price,
        marked.last_mark_at,
        marked.last_mark_price,
        false as is_live
    from held
    inner join {{ ref('int_open_legs__marked') }} as marked
        on held.position_id = marked.position_id and held.leg_number = marked.leg_number
    where not held.is_rebuilt
),

unioned as (
    select * from live
    union all
    select * from stored
),

reduced as (
    select
        position_id,
        leg_number,
        max(highest_price) as highest_price,
        null::timestamptz as highest_at,
        min(lowest_price) as lowest_price,
        null::timestamptz as lowest_at,
        null::date as observed_date,
        null::bigint as mark_count,
        null::timestamptz as first_mark_at,
        max(last_mark_at) as last_mark_at,
        case when not bool_or(is_live) then max(last_mark_price) end as last_mark_price
    from unioned
    group by position_id, leg_number
)

select * from reduced
{% endmacro %}
