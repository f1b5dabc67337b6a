{#
    Fails with every constraint that the table does not have, or that was added and never
    validated. What the database enforces need not be looked for row by row each night.
#}
{% test constraints_hold(model, constraints) %}
with expected as (
    select unnest(array['{{ constraints | join("', '") }}']) as constraint_name
)

select expected.constraint_name
from expected
left join pg_constraint
    on pg_constraint.conrelid = '{{ model }}'::regclass
    and expected.constraint_name = pg_constraint.conname
    and pg_constraint.convalidated
where pg_constraint.conname is null
{% endtest %}
