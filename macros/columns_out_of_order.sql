{#
    The comparison of the generic test columns_in_order: one row per place at which the
    names differ. Apart from it, so that it can be tested on literal names.
#}
{% macro columns_out_of_order(expected, found) -%}
select
    expected.place,
    expected.column_name as expected_column,
    found.column_name as found_column
from (
    values
    {% for column in expected -%}
    ({{ loop.index }}, '{{ column }}'){{ "," if not loop.last }}
    {% endfor -%}
) as expected (place, column_name)
left join (
    values
    (0, ''){{ "," if found }}
    {% for column in found -%}
    ({{ loop.index }}, '{{ column }}'){{ "," if not loop.last }}
    {% endfor -%}
) as found (place, column_name)
    on expected.place = found.place
where expected.column_name is distinct from found.column_name
{%- endmacro %}
