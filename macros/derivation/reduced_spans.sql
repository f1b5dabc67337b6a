{#
    What the usable marks of each span say: its highest and lowest price and the last
    instant, one row per span with marks, by span_number. Asked of the marks all at once:
    within a join the planner, who takes a span or two for all there are, would ask again
    for each; so let it stand in a materialized step.
    spans: a relation of span_number, symbol_id, from_at and until_at, which is not in it.
#}
{% macro reduced_spans(spans) %}
with arrays as (
    select
        array_agg(symbol_id order by span_number) as symbol_ids,
        array_agg(from_at order by span_number) as from_instants,
        array_agg(until_at order by span_number) as until_instants
    from {{ spans }}
)

select reduced.*
from arrays
cross join lateral raw.reduced_marks(
    arrays.symbol_ids, arrays.from_instants, arrays.until_instants
) as reduced
{% endmacro %}
