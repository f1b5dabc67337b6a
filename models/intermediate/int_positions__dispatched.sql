{#
    A table with statistics: to the planner a view that keeps the first of ranked rows
    looks like a handful of rows, and joins to it looped over all pairs of positions.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        indexes=[{'columns': ['position_id']}],
        post_hook='analyze {{ this }}'
    )
}}

with positions as (
    select * from {{ ref('int_positions__derived') }}
),

dispatched as (
    select * from {{ ref('int_orders__dispatched') }}
),

bridged as (
    {{ dispatched_positions('positions', 'dispatched') }}
)

select * from bridged
