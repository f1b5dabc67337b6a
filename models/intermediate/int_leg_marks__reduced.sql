{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        indexes=[{'columns': ['position_id', 'leg_number']}],
        post_hook='analyze {{ this }}'
    )
}}

with closed_legs as (
    select * from {{ ref('int_legs__built') }}
    where not is_open_position
),

reduced as (
    {{ leg_marks('closed_legs') }}
)

select * from reduced
