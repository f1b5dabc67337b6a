{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        post_hook='analyze {{ this }}'
    )
}}

-- depends_on: {{ ref('int_lanes__unchecked') }}
with lanes as (
    select * from {{ ref('int_lanes__touched') }}
),

{% if derives_some() -%}
-- As they were built last. Some will be no more: a late fill can join two, or move an
-- opening.
legs as (
    {{ legs_since_flat('lanes', last_built('int_legs__built')) }}
),

replaced as (
    select position_id from legs

    union

    select position_id from {{ this }}
)
{%- else -%}
replaced as (
    select null::uuid as position_id
    from lanes
    where false
)
{%- endif %}

select * from replaced
