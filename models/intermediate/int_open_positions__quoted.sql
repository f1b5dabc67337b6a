{#
    A table, unlike what else is known of open positions: a position's entry does not
    change, and a view would ask for the quotes before it of as many days as it is old.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        indexes=[{'columns': ['position_id']}],
        post_hook='analyze {{ this }}'
    )
}}

with legs as (
    select * from {{ ref('int_legs__built') }}
    where is_open_position and leg_number = 1
),

positions as (
    select
        position_id,
        symbol_id,
        leg_started_at as opened_at,
        event_type = 'OPENING' as is_opening_synthetic
    from legs
),

quoted as (
    {{ quoted_positions('positions') }}
)

select * from quoted
