-- The generic test unique_combination_of_columns must find the combination that occurs
-- twice, though each value alone occurs elsewhere too. A returned row means that it
-- does not.
{% set literal_rows -%}
(values ('a', 1), ('a', 2), ('b', 1), ('b', 2), ('b', 2)) as literal_rows (letter, digit)
{%- endset %}

with found as (
    {{ test_unique_combination_of_columns(model=literal_rows, columns=["letter", "digit"]) }}
),

summed as (
    select string_agg(letter || digit || ' x ' || row_count, ', ' order by letter, digit) as duplicates from found
)

select duplicates from summed
where duplicates is distinct from 'b2 x 2'
