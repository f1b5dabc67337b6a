{#
    Incremental strategy `replace_dates`: the rows of the dates that this run computes are
    replaced within one transaction; other dates stay. A date that was asked for and has
    no rows any more loses those that it had.
#}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {%- set asked = as_of_range() -%}
    delete from {{ arg_dict["target_relation"] }}
    where lookback_days = {{ var('lookback_days') }}
    {%- if asked %}
        and as_of_date between {{ date_literal(asked[0]) }} and {{ date_literal(asked[1]) }};
    {%- else %}
        and as_of_date = (select max(as_of_date) from {{ arg_dict["temp_relation"] }});
    {%- endif %}

    {{ insert_derived(arg_dict) }}
{% endmacro %}
