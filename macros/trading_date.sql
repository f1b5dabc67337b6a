{#
    The New York date of an instant: the trading date that it belongs to.
    Dispatched, because not every engine knows `at time zone`.
#}
{% macro trading_date(instant) %}
    {{- adapter.dispatch("trading_date")(instant) -}}
{% endmacro %}

{% macro default__trading_date(instant) -%}
    ({{ instant }} at time zone 'America/New_York')::date
{%- endmacro %}

{#
    The instant of a New York wall clock time, as "16:00", on a date.
#}
{% macro new_york_instant(date, wall_clock) %}
    {{- adapter.dispatch("new_york_instant")(date, wall_clock) -}}
{% endmacro %}

{% macro default__new_york_instant(date, wall_clock) -%}
    (({{ date }} + time '{{ wall_clock }}') at time zone 'America/New_York')
{%- endmacro %}

{# A condition: the instant lies in that New York date. As a range, which an index of instants serves. #}
{% macro is_on_trading_date(instant, date) -%}
{{ instant }} >= {{ new_york_instant(date, '00:00') }}
    and {{ instant }} < {{ new_york_instant(date ~ ' + 1', '00:00') }}
{%- endmacro %}

{# The UTC date of an instant: marks are stored by it. #}
{% macro utc_date(instant) %}
    {{- adapter.dispatch("utc_date")(instant) -}}
{% endmacro %}

{% macro default__utc_date(instant) -%}
    ({{ instant }} at time zone 'UTC')::date
{%- endmacro %}

{# The instant at which a UTC date begins. #}
{% macro utc_midnight(date) %}
    {{- adapter.dispatch("utc_midnight")(date) -}}
{% endmacro %}

{% macro default__utc_midnight(date) -%}
    (({{ date }})::timestamp at time zone 'UTC')
{%- endmacro %}
