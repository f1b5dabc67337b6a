{# Free text as a key: lower-cased, each run of non-alphanumerics one underscore. #}
{% macro folded(text) -%}
    trim(both '_' from regexp_replace(lower({{ text }}), '[^a-z0-9]+', '_', 'g'))
{%- endmacro %}
