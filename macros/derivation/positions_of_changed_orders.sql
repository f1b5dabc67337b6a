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

-- Ids before accounts: see touched_lanes().
client_orders as (
    select
        reference as client_order_id,
        account_name
    from facts
    where kind = 'client_order'

    union

    select
        client_order_id,
        account_name
    from sent
    where client_order_id is not null
),

changed as (
    select
        reference as order_id,
        account_name
    from facts
    where kind in ('fill', 'order')

    union

    select
        order_id,
        account_name
    from sent
    where order_id is not null

    union

    select
        orders.order_id,
        orders.account_name
    from client_orders
    inner join orders
        on client_orders.account_name = orders.account_name
        and client_orders.client_order_id = orders.client_order_id

    union

    select
        legs.order_id,
        legs.account_name
    from client_orders
    inner join {{ legs }} as legs
        on client_orders.account_name = legs.account_name
        and client_orders.client_order_id = legs.client_order_id
),

related as (
    select * from changed

    union

    select
        orders.parent_order_id as order_id,
        orders.account_name
    from changed
    inner join orders
        on changed.account_name = orders.account_name and changed.order_id = orders.order_id
    where orders.parent_order_id is not null

    union

    select
        orders.order_id,
        orders.account_name
    from changed
    inner join orders
        on changed.account_name = orders.account_name and changed.order_id = orders.parent_order_id
)

-- By the index, order by order, as in legs_since_flat().
select held.position_id
from related
cross join lateral (
    select legs.position_id
    from {{ legs }} as legs
    where
        legs.account_name = related.account_name
        and legs.order_id = related.order_id
    offset 0
) as held
{% endmacro %}
