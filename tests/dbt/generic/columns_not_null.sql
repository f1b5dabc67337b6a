{#
    Fails with every row in which one of the columns is null. One question for many
    columns, where dbt's own not_null asks one for each: of a view that reads marks,
    questions are what costs.
#}
{% test columns_not_null(model, columns) %}
select *
from {{ model }}
where
    {% for column in columns -%}
    {{ column }} is null{{ " or" if not loop.last }}
    {% endfor -%}
{% endtest %}
