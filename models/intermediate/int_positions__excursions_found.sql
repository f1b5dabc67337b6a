{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        post_hook='analyze {{ this }}'
    )
}}

-- depends_on: {{ ref('int_positions__derived') }}
with legs as (
    select * from {{ ref('int_legs__built') }}
    where not is_open_position
),

legs_to_derive as (
    {% if derives_some() -%}
    select legs.*
    from {{ ref('int_positions__derived') }} as positions
    inner join legs on positions.position_id = legs.position_id
    {%- else -%}
    select * from legs
    {%- endif %}
),

leg_days as (
    select * from {{ ref('int_leg_days__reduced') }}
),

valued as materialized (
    {{ valued_leg_days('legs_to_derive', 'leg_days') }}
),

found as (
    {{ position_extremes('valued') }}
)

select * from found
