{# An amount in percent of another; null where the other is zero. #}
{% macro percent_of(amount, whole) -%}
    100 * {{ amount }} / nullif({{ whole }}, 0)
{%- endmacro %}
