{#
    Incremental strategy `replace_leg_days`: replaced are the rows of positions that were
    built again, and of the days of legs of which new marks came; of a full build, all
    rows. The model has the columns position_id, leg_number and observed_date.
#}
{% macro get_incremental_replace_leg_days_sql(arg_dict) %}
    {% if is_full_build() -%}
    {{ get_incremental_replace_rows_sql(arg_dict) }}
    {%- else -%}
    {{ lock_for_build(arg_dict) }}
    {{ delete_positions(arg_dict, ref('int_positions__replaced')) }}

    delete from {{ arg_dict["target_relation"] }} as built
    using {{ ref('int_leg_days__touched') }} as touched
    where
        built.position_id = touched.position_id
        and built.leg_number = touched.leg_number
        and built.observed_date = touched.observed_date;

    {{ insert_derived(arg_dict) }}
    {%- endif %}
{% endmacro %}
