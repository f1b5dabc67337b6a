{#
    A date that was given as text, like 2025-03-10. Anything else is refused: Postgres
    would also take words like "yesterday", and the same run would mean another date
    tomorrow.
#}
{% macro date_literal(text) %}
    {{- adapter.dispatch("date_literal")(text) -}}
{% endmacro %}

{% macro default__date_literal(text) -%}
    {%- if not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}', text | string) -%}
        {{ exceptions.raise_compiler_error("not a date like 2025-03-10: " ~ text) }}
    {%- endif -%}
    date '{{ text }}'
{%- endmacro %}
