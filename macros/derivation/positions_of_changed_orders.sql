{#
    Positions to be derived again because something was learnt of their orders: the order
    itself, its parent or legs, what the dispatcher sent it for, or the recommendation
    behind that. legs: a relation of the columns of int_legs__built.
#}
{% macro positions_of_changed_orders(legs) %}
with facts as (
    select * from {{ source('alpaca', 'changed_facts') }}
    where is_claimed
),

sent as (
    select executions.*
    from facts
    inner join {{ ref('stg_dispatch__executions') }} as executions
        on facts.reference = executions.recommendation_id
    where facts.kind = 'recommendation'
),

orders as not materialized (
    select * from {{ ref('stg_alpaca__orders') }}
),

client_orders as (
    select
        account_name,
        reference as client_order_id
    from facts
    where kind = 'client_order'

    union

    select
        account_name,
        client_order_id
    from sent
    where client_order_id is not null
),

changed as (
    select
        account_name,
        reference as order_id
    from facts
    where kind in ('fill', 'order')

    union

    select
        account_name,
        order_id
    from sent
    where order_id is not null

    union

    select
        orders.account_name,
        orders.order_id
    from client_orders
    inner join orders
        on client_orders.account_name = orders.account_name
        and client_orders.client_order_id = orders.client_order_id

    union

    select
        legs.account_name,
        legs.order_id
    from client_orders
    inner join {{ legs }} as legs
        on client_orders.account_name = legs.account_name
        and client_orders.client_order_id = legs.client_order_id
),

related as (
    select * from changed

    union

    select
        orders.account_name,
        orders.parent_order_id as order_id
    from changed
    inner join orders
        on changed.account_name = orders.account_name and changed.order_id = orders.order_id
    where orders.parent_order_id is not null

    union

    select
        orders.account_name,
        orders.order_id
    from changed
    inner join orders
        on changed.account_name = orders.account_name and changed.order_id = orders.parent_order_id
)

select legs.position_id
from related
inner join {{ legs }} as legs
    on related.account_name = legs.account_name and related.order_id = legs.order_id
{% endmacro %}
