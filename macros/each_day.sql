{#
    A query over days of marks, as one for each day in `leg_days`. With its bounds as
    constants the planner opens the one partition of that day, of years of them; and in a
    full build parallel workers take the days in turn: a query that looks up marks for each row of
    another relation has no parallel plan of its own. The model has the setting that
    each_part() explains.

    query: a macro of leg_days and a day, which puts of_day() where it reads marks.
    leg_days: a relation that stands in the database, with an observed_date.
    columns: names and types of what the query selects.
#}
{% macro each_day(query, leg_days, columns) %}
    {%- set days = days_of(leg_days) if execute else none -%}
    {%- if days is none -%}
{{ query(leg_days) }}
    {%- else -%}
    {%- for day in days %}
select * from raw.query_rows($day${{ query(leg_days, day) }}$day$) as ({{ columns }})
        {%- if not loop.last %}
union all
        {%- endif %}
    {%- else %}
{#- Nothing to read: the query still gives its columns, for a day before all marks. #}
{{ query(leg_days, '1970-01-01') }}
    {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{# The days with marks in a relation; none where it is not one in the database, as in unit tests. #}
{% macro days_of(leg_days) -%}
    {%- if model.resource_type != 'model' or load_relation(leg_days) is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set rows = run_query(
        "select distinct observed_date::text from " ~ leg_days
        ~ " inner join " ~ ref('stg_alpaca__mark_days') ~ " as stored using (observed_date) order by 1"
    ).rows -%}
    {{ return(rows | map(attribute=0) | list) }}
{%- endmacro %}


{# A condition: the instant lies in that UTC day. Nothing for a query of all days. #}
{% macro of_day(instant, day) -%}
    {%- if day -%}
and {{ instant }} >= '{{ day }}T00:00Z'::timestamptz
        and {{ instant }} < '{{ (modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=1)).isoformat() }}T00:00Z'::timestamptz
    {%- endif -%}
{%- endmacro %}
