{#
    Legs of lanes that are built again, from the facts: those of each lane after it was last
    flat. lanes: a relation of the columns of int_lanes__touched.
#}
{% macro rebuilt_legs(lanes) %}
with executions as (
    {{ resolved_executions(lanes) }}
),

broker_events as (
    {{ interpreted_broker_events(lanes) }}
),

ordered as (
    {{ ordered_position_events('executions', 'broker_events', lanes) }}
),

events as (
    {{ accumulated_position_events('ordered') }}
),

legs as (
    {{ built_legs('events') }}
)

select * from legs
{% endmacro %}
