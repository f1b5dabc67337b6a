{#
    The dates that strategy_stats was asked for: the first and the last, as texts; none
    where no variable names one. A range may be named by the environment too: other
    variables than last time make dbt read the whole project again, which programs avoid.
#}
{% macro as_of_range() %}
    {{- return(adapter.dispatch("as_of_range")()) -}}
{% endmacro %}

{% macro default__as_of_range() -%}
    {%- set one = var('as_of_date') -%}
    {%- set first = var('as_of_date_from') or env_var('EXCURSION_AS_OF_DATE_FROM', '') -%}
    {%- set last = var('as_of_date_until') or env_var('EXCURSION_AS_OF_DATE_UNTIL', '') -%}
    {%- if one and (first or last) -%}
        {{ exceptions.raise_compiler_error(
            "as_of_date is one date, as_of_date_from and as_of_date_until are a range: give one or the other"
        ) }}
    {%- elif not first and not last -%}
        {{ return([calendar_date(one), calendar_date(one)] if one else none) }}
    {%- elif not (first and last) -%}
        {{ exceptions.raise_compiler_error("as_of_date_from and as_of_date_until are a range: give both") }}
    {%- elif calendar_date(first) > calendar_date(last) -%}
        {{ exceptions.raise_compiler_error("as_of_date_until (" ~ last ~ ") is before as_of_date_from (" ~ first ~ ")") }}
    {%- endif -%}
    {{ return([calendar_date(first), calendar_date(last)]) }}
{%- endmacro %}

{# A text that names a day of the calendar, like 2025-03-10; anything else is refused. #}
{% macro calendar_date(text) -%}
    {%- set parts = modules.re.fullmatch('([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])', text | string) -%}
    {%- if parts and parts.group(1) != '0000' -%}
        {%- set year, month, day = parts.groups() | map('int') -%}
        {#- 29 February of another year would be a day of March. -#}
        {%- set counted = modules.datetime.datetime(year, month, 1) + modules.datetime.timedelta(days=day - 1) -%}
        {%- if counted.month == month -%}{{ return(text | string) }}{%- endif -%}
    {%- endif -%}
    {{ exceptions.raise_compiler_error("not a date like 2025-03-10: " ~ text) }}
{%- endmacro %}
