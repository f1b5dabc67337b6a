{#
    SQL expression: when an execution moves its position. Brokers report a later execution
    of an order with an earlier time: it happens at the latest time of its order up to it.
    For a relation of the columns of int_executions__resolved, with whole orders.
#}
{% macro execution_happened_at() -%}
    max(executed_at) over (partition by account_name, order_id order by cumulative_quantity, event_id)
{%- endmacro %}
