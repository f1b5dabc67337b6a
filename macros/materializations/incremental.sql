{#-
    dbt's `incremental` for a table that stands, with the columns looked at once: dbt's own
    asks four times for those of a table, which was a quarter of a small run.
    Columns with a length, which it would widen, are none here. A table that is made, or
    made anew, is dbt's own matter.
-#}
{% materialization incremental, adapter='postgres' %}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- if existing_relation is none or existing_relation.is_view or should_full_refresh() -%}
        {{ return(dbt.materialization_incremental_default()) }}
    {%- endif -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set temp_relation = make_temp_relation(target_relation) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('derived') -%}
        {{ get_create_table_as_sql(True, temp_relation, sql) }}
    {%- endcall %}
    {%- set columns = columns_of_both(temp_relation, target_relation)
        or process_schema_changes(config.get('on_schema_change'), temp_relation, existing_relation)
        or adapter.get_columns_in_relation(existing_relation) -%}
    {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy')) -%}
    {% call statement('main') -%}
        {{ strategy({
            'target_relation': target_relation,
            'temp_relation': temp_relation,
            'unique_key': config.get('unique_key'),
            'dest_columns': columns,
            'incremental_predicates': none
        }) }}
    {%- endcall %}

    {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, false)) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# The columns of two relations, if they have the same ones of the same types; else an empty list. #}
{% macro columns_of_both(temp_relation, target_relation) -%}
    {% call statement('columns_of_both', fetch_result=True) %}
        select
            array_to_string(array_agg(attname order by attnum) filter (where is_target), ' ') as target_names
        from (
            select
                attname,
                attnum,
                attrelid = to_regclass('{{ target_relation }}') as is_target,
                count(*) over (partition by attname, atttypid, atttypmod) as relations
            from pg_attribute
            where
                attrelid in (to_regclass('{{ temp_relation }}'), to_regclass('{{ target_relation }}'))
                and attnum > 0
                and not attisdropped
        ) as columns
        having bool_and(relations = 2)
    {% endcall %}
    {%- set rows = load_result('columns_of_both').table.rows -%}
    {%- set columns = [] -%}
    {%- for name in (rows[0][0].split(' ') if rows else []) -%}
        {%- do columns.append({'name': name}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
