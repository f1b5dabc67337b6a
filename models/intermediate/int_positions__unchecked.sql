{{
    config(
        materialized='incremental',
        incremental_strategy='add_rows',
        post_hook='{{ saw_changes(this.name) }}',
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

-- depends_on: {{ ref('int_lanes__unchecked') }}
with touched as (
    select * from {{ ref('int_positions__touched') }}
),

{% if derives_some() -%}
-- Those of earlier builds stay until they are checked.
unchecked as (
    select touched.position_id
    from touched
    left join {{ this }} as already on touched.position_id = already.position_id
    where already.position_id is null
)
{%- else -%}
-- All are: int_builds__scoped.is_all_unchecked.
unchecked as (
    select * from touched
    where false
)
{%- endif %}

select * from unchecked
