{#
    A table with statistics: how many orders match is beyond the planner's guess, and
    it then loops over all pairs of positions and orders.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        indexes=[{'columns': ['account_name', 'order_id']}],
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

dispatched as (
    {{ dispatched_orders('opening_and_last_orders') }}
)

select * from dispatched
