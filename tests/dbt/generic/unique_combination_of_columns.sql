{#
    Fails with every combination of the columns' values that occurs more than once.
    position_id: as in expression_is_true.
#}
{% test unique_combination_of_columns(model, columns, position_id=none) %}
with looked_at as (
    {% if position_id %}{{ of_positions_to_check(model, position_id) }}{% else %}select * from {{ model }}{% endif %}
)

select
    {{ columns | join(", ") }},
    count(*) as row_count
from looked_at
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
