-- The generic test monotonic_columns must find a fall between neighbours and across a
-- null, and leave equal values alone. A returned row means that it does not.
{% set literal_rows -%}
(values
    ('rising', 1, 2, 3), ('level', 1, 1, 1), ('falling', 1, 3, 2),
    ('across a null', 2, null, 1), ('nulls', null, null, null)
) as literal_rows (name, p10, p20, p30)
{%- endset %}

with found as (
    {{ test_monotonic_columns(model=literal_rows, columns=["p10", "p20", "p30"]) }}
),

summed as (
    select string_agg(name, ', ' order by name) as names from found
)

select names from summed
where names is distinct from 'across a null, falling'
