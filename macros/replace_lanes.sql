{#
    Incremental strategy `replace_lanes`: of the lanes that the build derives again, the
    rows after the instants until which they stand are replaced, which are those of
    int_positions__replaced; of a full build, all rows.
#}
{% macro get_incremental_replace_lanes_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    {% if is_full_build() -%}
    delete from {{ arg_dict["target_relation"] }};
    {%- else -%}
    delete from {{ arg_dict["target_relation"] }} as built
    using {{ ref('int_positions__replaced') }} as replaced
    where built.position_id = replaced.position_id;
    {%- endif %}

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict["temp_relation"] }}
{% endmacro %}
