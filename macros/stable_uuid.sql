{#
    A uuid made of values, the same at every build. The separator cannot occur in
    account names, symbols or event ids, so that ('a', 'bc') and ('ab', 'c') differ.
#}
{% macro stable_uuid(columns) -%}
    md5({% for column in columns %}{{ column }}{{ " || chr(31) || " if not loop.last }}{% endfor %})::uuid
{%- endmacro %}
