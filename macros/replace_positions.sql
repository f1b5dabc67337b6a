{#
    Incremental strategy `replace_positions`: the rows of each position that the build
    derives again are replaced, also where it is no more; of a full build, all rows.
    unique_key: the column with the position's id.
#}
{% macro get_incremental_replace_positions_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    {% if is_full_build() -%}
    delete from {{ arg_dict["target_relation"] }};
    {%- else -%}
    delete from {{ arg_dict["target_relation"] }} as built
    using {{ ref('int_positions__touched') }} as touched
    where built.{{ arg_dict["unique_key"] }} = touched.position_id;
    {%- endif %}

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict["temp_relation"] }}
{% endmacro %}
