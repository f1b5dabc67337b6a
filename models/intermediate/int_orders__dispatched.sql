{#
    A table with statistics: how many orders match is beyond the planner's guess, and
    it then loops over all pairs of positions and orders.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        indexes=[{'columns': ['account_name', 'order_id']}],
        pre_hook='{{ prefer_scans() }}',
        post_hook='analyze {{ this }}'
    )
}}

with positions as (
    select * from {{ ref('int_positions__derived') }}
),

opening_and_last_orders as (
    select
        account_name,
        opening_order_id as order_id
    from positions

    union

    select
        account_name,
        last_order_id as order_id
    from positions
),

-- Of all fills of the order: one of them may be the one that states no client id.
sent_orders as (
    select distinct
        legs.account_name,
        legs.order_id,
        legs.client_order_id
    from opening_and_last_orders as orders
    inner join {{ ref('int_legs__built') }} as legs
        on orders.account_name = legs.account_name and orders.order_id = legs.order_id
),

dispatched as (
    {{ dispatched_orders('sent_orders') }}
)

select * from dispatched
