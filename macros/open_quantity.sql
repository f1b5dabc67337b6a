{#
    Window aggregate: the open quantity after each event, where dust closes, closing
    events take at most what is open, and splits multiply. Its steps are in
    raw.next_open_quantity (ingest/sql/migrations). Dispatched: another engine needs
    another way to fold.
#}
{% macro open_quantity(moves, amount, split_to) %}
    {{- adapter.dispatch("open_quantity")(moves, amount, split_to) -}}
{% endmacro %}

{% macro default__open_quantity(moves, amount, split_to) -%}
    raw.open_quantity({{ moves }}, {{ amount }}, {{ split_to }})
{%- endmacro %}
