{#
    Fails with every row for which the expression is false. A row for which it is null
    passes: a value that is not known breaks no law. position_id: the column with the
    position's id, where a build need only look at the positions that it derived.
#}
{% test expression_is_true(model, expression, position_id=none) %}
with looked_at as (
    {% if position_id %}{{ of_positions_to_check(model, position_id) }}{% else %}select * from {{ model }}{% endif %}
)

select * from looked_at
where not ({{ expression }})
{% endtest %}
