-- The generic test columns_not_null must find a null in any of its columns and in no
-- other. A returned row means that it does not.
{% set literal_rows -%}
(values ('first', null, 1, 1), ('second', 1, null, 1), ('other', 1, 1, null), ('none', 1, 1, 1))
as literal_rows (name, one, two, three)
{%- endset %}

with found as (
    {{ test_columns_not_null(model=literal_rows, columns=["one", "two"]) }}
),

summed as (
    select string_agg(name, ', ' order by name) as names from found
)

select names from summed
where names is distinct from 'first, second'
