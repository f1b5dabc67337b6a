{# Window aggregate: the exact product of its rows (exp(sum(ln())) would round). #}
{% macro product(factor) %}
    {{- adapter.dispatch("product")(factor) -}}
{% endmacro %}

{% macro default__product(factor) -%}
    raw.product({{ factor }})
{%- endmacro %}
