{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        post_hook='analyze {{ this }}'
    )
}}

with closed_legs as (
    select * from {{ ref('int_legs__built') }}
    where not is_open_position
),

reduced_marks as (
    select * from {{ ref('int_leg_marks__reduced') }}
),

found as (
    {{ position_excursions('closed_legs', 'reduced_marks') }}
)

select * from found
