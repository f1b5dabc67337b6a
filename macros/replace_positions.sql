{#
    Incremental strategy `replace_positions`: the rows of each position that the build
    derives again are replaced, also where it is no more; of a full build, all rows.
    unique_key: the column with the position's id.
#}
{% macro get_incremental_replace_positions_sql(arg_dict) %}
    {% if is_full_build() -%}
    {{ get_incremental_replace_rows_sql(arg_dict) }}
    {%- else -%}
    {{ lock_for_build(arg_dict) }}
    {{ delete_positions(arg_dict, ref('int_positions__touched'), arg_dict["unique_key"]) }}
    {{ insert_derived(arg_dict) }}
    {%- endif %}
{% endmacro %}

{# One statement of a strategy. positions: a relation with a position_id; column: the model's. #}
{% macro delete_positions(arg_dict, positions, column='position_id') %}
    delete from {{ arg_dict["target_relation"] }} as built
    using {{ positions }} as positions
    where built.{{ column }} = positions.position_id;
{% endmacro %}
