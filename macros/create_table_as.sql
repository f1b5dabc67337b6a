{#
    Overrides dbt's own where it makes the temporary table of a model with the strategy
    `replace_work`: a view of that name, so that the rows are written once, into the model's
    emptied table. Not in a build of everything, where parallel workers take part in the
    query, which they cannot in an INSERT; nor for a model that reads the table it empties.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- if temporary and config.get('incremental_strategy') == 'replace_work' and derives_some() and this | string not in sql -%}
        create temporary view {{ relation }} as (
            {{ sql }}
        )
    {%- else -%}
        {{ dbt.postgres__create_table_as(temporary, relation, sql) }}
    {%- endif -%}
{%- endmacro %}
