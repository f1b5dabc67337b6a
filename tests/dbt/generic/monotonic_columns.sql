{#
    Fails with every row in which a column is smaller than one named before it. Nulls
    are passed over: the columns on both sides of one are still compared.
#}
{% test monotonic_columns(model, columns) %}
select *
from {{ model }}
where
    {% for column in columns[1:] -%}
    {{ column }} < greatest({{ columns[: loop.index] | join(", ") }}){{ " or" if not loop.last }}
    {% endfor -%}
{% endtest %}
