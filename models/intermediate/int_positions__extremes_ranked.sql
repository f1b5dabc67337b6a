{#
    A table of its own, to be read by parallel workers: the look-ups that follow are most
    of the work, and beside the sorts here one process would do them all.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        post_hook=['analyze {{ this }}', "alter table {{ this }} set (parallel_workers = 2)"]
    )
}}

with positions as (
    select * from {{ ref('int_positions__derived') }}
),

legs as (
    select legs.*
    from positions
    inner join {{ ref('int_legs__built') }} as legs on positions.position_id = legs.position_id
),

leg_days as (
    select * from {{ ref('int_leg_days__reduced') }}
),

valued as (
    {{ valued_leg_days('legs', 'leg_days') }}
),

ranked as (
    {{ ranked_extremes('valued') }}
)

select * from ranked
