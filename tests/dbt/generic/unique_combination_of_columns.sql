{# Fails with every combination of the columns' values that occurs more than once. #}
{% test unique_combination_of_columns(model, columns) %}
select
    {{ columns | join(", ") }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
