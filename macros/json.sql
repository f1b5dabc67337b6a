{#
    A number out of a JSON object, null where the key is absent or its value is no
    number: a bot's snapshot must not be able to stop a build with one odd value.
#}
{% macro json_number(json, key) -%}
    case
        when jsonb_typeof({{ json }} -> '{{ key }}') = 'number'
            then ({{ json }} ->> '{{ key }}')::numeric
        when ({{ json }} ->> '{{ key }}') ~ '^[+-]?[0-9]{1,15}([.][0-9]{1,15})?$'
            then ({{ json }} ->> '{{ key }}')::numeric
    end
{%- endmacro %}
