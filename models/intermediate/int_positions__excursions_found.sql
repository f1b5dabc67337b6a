{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        post_hook='analyze {{ this }}'
    )
}}

with legs as (
    {{ legs_to_derive() }}
),

leg_days as (
    select * from {{ ref('int_leg_days__reduced') }}
),

valued as materialized (
    {{ valued_leg_days('legs', 'leg_days') }}
),

found as (
    {{ position_extremes('valued') }}
)

select * from found
