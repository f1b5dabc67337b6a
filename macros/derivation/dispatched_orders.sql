{#
    What the dispatcher sent each order for: one row per order and execution that the
    dispatcher says it sent for it, best match first by match_rank. legs: a relation of the
    columns of int_legs__built, with all legs of each order.
#}
{% macro dispatched_orders(legs) %}
-- Of all fills of an order: one of them may be the one that states no client id.
with filled_orders as (
    select distinct
        account_name,
        order_id,
        client_order_id
    from {{ legs }}
    where order_id is not null
),

-- Read more than once, and by their indexes each time.
executions as not materialized (
    select * from {{ ref('stg_dispatch__executions') }}
),

orders as not materialized (
    select * from {{ ref('stg_alpaca__orders') }}
),

-- Every order that filled, with the ids under which the dispatcher may know it. A leg of
-- a multi-leg order was sent as its parent.
known_as as (
    select
        filled.account_name,
        filled.order_id,
        filled.order_id as sent_order_id,
        coalesce(orders.client_order_id, filled.client_order_id) as sent_client_order_id,
        1 as closeness
    from filled_orders as filled
    left join orders
        on filled.account_name = orders.account_name and filled.order_id = orders.order_id

    union all

    select
        legs.account_name,
        legs.order_id,
        parents.order_id as sent_order_id,
        parents.client_order_id as sent_client_order_id,
        2 as closeness
    from filled_orders as filled
    inner join {{ ref('stg_alpaca__orders') }} as legs
        on filled.account_name = legs.account_name and filled.order_id = legs.order_id
    inner join orders as parents
        on legs.account_name = parents.account_name and legs.parent_order_id = parents.order_id
    where parents.order_class = 'mleg'
),

matched as (
    select
        known_as.account_name,
        known_as.order_id,
        executions.execution_uuid,
        known_as.closeness,
        1 as id_rank
    from known_as
    inner join executions
        on known_as.account_name = executions.account_name
        and known_as.sent_order_id = executions.order_id

    union all

    select
        known_as.account_name,
        known_as.order_id,
        executions.execution_uuid,
        known_as.closeness,
        2 as id_rank
    from known_as
    inner join executions
        on known_as.account_name = executions.account_name
        and known_as.sent_client_order_id = executions.client_order_id
),

distinct_matches as (
    select
        account_name,
        order_id,
        execution_uuid,
        min(closeness * 10 + id_rank) as match_rank
    from matched
    group by account_name, order_id, execution_uuid
),

dispatched as (
    select
        distinct_matches.account_name,
        distinct_matches.order_id,
        distinct_matches.match_rank,
        executions.execution_uuid,
        executions.recommendation_id,
        executions.intent,
        executions.exit_reason,
        executions.strategy_type,
        executions.max_hold_minutes,
        executions.stop_price,
        executions.target_price,
        executions.created_at
    from distinct_matches
    inner join executions on distinct_matches.execution_uuid = executions.execution_uuid
)

select * from dispatched
{% endmacro %}
