-- The generic test expression_is_true must find a false row, and leave true and null
-- ones alone. A returned row means that it does not.
{% set literal_rows -%}
(values ('false', 2, 1), ('true', 1, 2), ('null', null, 1)) as literal_rows (name, low, high)
{%- endset %}

with found as (
    {{ test_expression_is_true(model=literal_rows, expression="low <= high") }}
),

summed as (
    select string_agg(name, ', ' order by name) as names from found
)

select names from summed
where names is distinct from 'false'
