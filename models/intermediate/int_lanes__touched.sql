{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        post_hook='analyze {{ this }}'
    )
}}

-- depends_on: {{ ref('int_builds__scoped') }}
{% if derives_some() -%}
with touched as (
    {{ touched_lanes(
        "(select * from " ~ source('alpaca', 'changed_facts') ~ " where is_claimed) as claimed",
        last_built('int_legs__built')
    ) }}
),

-- Those of a build that did not finish too: its legs may be built, what follows is not.
merged as (
    {{ merged_lanes('touched') }}
)
{%- else -%}
with merged as (
    select
        null::text as account_name,
        null::text as symbol,
        null::timestamptz as flat_until_at
    where false
)
{%- endif %}

select * from merged
