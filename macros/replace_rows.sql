{#
    Incremental strategy `replace_rows`: all rows of the model are replaced within one
    transaction. Readers see the old rows until it commits, and views on the model stay:
    dbt's `table` would drop them by cascade at every build.
#}
{% macro get_incremental_replace_rows_sql(arg_dict) %}
    {{ lock_for_build(arg_dict) }}
    delete from {{ arg_dict["target_relation"] }};
    {{ insert_derived(arg_dict) }}
{% endmacro %}

{#
    Incremental strategy `replace_work`: the same for what only the models of a build read.
    A table is emptied at once, however much a build of everything left in it.
#}
{% macro get_incremental_replace_work_sql(arg_dict) %}
    {{ require_newest_build() }}
    truncate {{ arg_dict["target_relation"] }};
    {{ insert_derived(arg_dict) }}
{% endmacro %}

{#
    Incremental strategy `add_rows`: what the model selects is added to the rows of earlier
    builds; in a build of everything it replaces them.
#}
{% macro get_incremental_add_rows_sql(arg_dict) %}
    {% if is_full_build() -%}
    {{ get_incremental_replace_rows_sql(arg_dict) }}
    {%- else -%}
    {{ lock_for_build(arg_dict) }}
    {{ insert_derived(arg_dict) }}
    {%- endif %}
{% endmacro %}

{#
    The first statement of each strategy: of two builds at once the one that began first
    stops, and the other one, which has taken over its changes, waits for its last rows.
#}
{% macro lock_for_build(arg_dict) %}
    {{- require_newest_build() -}}
    lock table {{ arg_dict["target_relation"] }} in share row exclusive mode;
{% endmacro %}

{# The last statement of each strategy: what the model selected takes the place of what was deleted. #}
{% macro insert_derived(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict["temp_relation"] }}
{% endmacro %}
