{#
    Fails with every row for which the expression is false. A row for which it is null
    passes: a value that is not known breaks no law.
#}
{% test expression_is_true(model, expression) %}
select *
from {{ model }}
where not ({{ expression }})
{% endtest %}
