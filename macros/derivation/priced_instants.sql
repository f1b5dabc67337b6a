{#
    The price of the usable mark of an instant; of several the highest. One row per leg with
    such a mark. Asked of the marks all at once: within a join the planner, who takes a leg
    or two for all there are, would ask again for each.
    instants: a relation of position_id, leg_number, symbol_id and last_mark_at.
#}
{% macro priced_instants(instants) %}
with numbered as materialized (
    select
        position_id,
        leg_number,
        symbol_id,
        last_mark_at,
        row_number() over (order by position_id, leg_number) as span_number
    from {{ instants }}
),

arrays as (
    select
        array_agg(symbol_id order by span_number) as symbol_ids,
        array_agg(last_mark_at order by span_number) as from_instants,
        array_agg(last_mark_at + interval '1 microsecond' order by span_number) as until_instants
    from numbered
),

answered as materialized (
    select reduced.*
    from arrays
    cross join lateral raw.reduced_marks(
        arrays.symbol_ids, arrays.from_instants, arrays.until_instants
    ) as reduced
)

select
    numbered.position_id,
    numbered.leg_number,
    answered.highest_price::numeric as last_mark_price
from answered
inner join numbered on answered.span_number = numbered.span_number
{% endmacro %}
