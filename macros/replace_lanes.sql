{#
    Incremental strategy `replace_lanes`: of the lanes that the build derives again, the
    rows after the instants until which they stand are replaced, which are those of
    int_positions__replaced; of a full build, all rows.
#}
{% macro get_incremental_replace_lanes_sql(arg_dict) %}
    {% if is_full_build() -%}
    {{ get_incremental_replace_rows_sql(arg_dict) }}
    {%- else -%}
    {{ lock_for_build(arg_dict) }}
    {{ delete_positions(arg_dict, ref('int_positions__replaced')) }}
    {{ insert_derived(arg_dict) }}
    {%- endif %}
{% endmacro %}
