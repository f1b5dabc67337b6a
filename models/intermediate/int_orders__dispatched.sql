{#
    A table with statistics: how many orders match is beyond the planner's guess, and
    it then loops over all pairs of positions and orders.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        indexes=[{'columns': ['account_name', 'order_id']}],
        post_hook='analyze {{ this }}'
    )
}}

{% if derives_some() -%}
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

legs as (
    select legs.*
    from opening_and_last_orders as orders
    inner join {{ ref('int_legs__built') }} as legs
        on orders.account_name = legs.account_name and orders.order_id = legs.order_id
),
{%- else -%}
-- Orders in between too: of a selection the planner would take the rows for a few, and
-- look up each in the tables that follow.
with legs as (
    select * from {{ ref('int_legs__built') }}
),
{%- endif %}

dispatched as (
    {{ dispatched_orders('legs') }}
)

select * from dispatched
