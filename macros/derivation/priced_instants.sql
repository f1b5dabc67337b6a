{#
    The price of the usable mark of an instant; of several the highest. One row per leg with
    such a mark.
    instants: a relation of position_id, leg_number, symbol_id and last_mark_at.
#}
{% macro priced_instants(instants) %}
with numbered as materialized (
    select
        position_id,
        leg_number,
        symbol_id,
        last_mark_at as from_at,
        last_mark_at + interval '1 microsecond' as until_at,
        row_number() over (order by position_id, leg_number) as span_number
    from {{ instants }}
),

answered as materialized (
    {{ reduced_spans('numbered') }}
)

select
    numbered.position_id,
    numbered.leg_number,
    answered.highest_price::numeric as last_mark_price
from answered
inner join numbered on answered.span_number = numbered.span_number
{% endmacro %}
