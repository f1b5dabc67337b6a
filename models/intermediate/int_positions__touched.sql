{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        post_hook='analyze {{ this }}'
    )
}}

-- depends_on: {{ ref('int_decisions__seen') }}
{% if derives_some() -%}
-- Read more than once, and by its indexes each time.
with legs as not materialized (
    select * from {{ ref('int_legs__built') }}
),

lanes as (
    select * from {{ ref('int_lanes__touched') }}
),

-- What was, and may be no more.
replaced as (
    select * from {{ ref('int_positions__replaced') }}
),

rebuilt as (
    {{ legs_since_flat('lanes', 'legs') }}
),

marked as (
    {{ positions_of_changed_marks('legs') }}
),

explained as (
    {{ positions_of_changed_orders('legs') }}
),

charged as (
    {{ positions_of_changed_activities('legs', 'lanes') }}
),

touched as (
    select position_id from replaced
    union
    select position_id from rebuilt
    union
    select position_id from marked
    union
    select position_id from explained
    union
    select position_id from charged
)
{%- else -%}
with touched as (
    select distinct position_id from {{ ref('int_legs__built') }}
)
{%- endif %}

select * from touched
