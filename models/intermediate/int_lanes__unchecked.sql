{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        post_hook='{{ saw_changes(this.name) }}',
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

with touched as (
    select * from {{ ref('int_lanes__touched') }}
),

{% if derives_some() -%}
unchecked as (
    {{ merged_lanes('touched') }}
)
{%- else -%}
-- None is touched, and all are unchecked: int_builds__scoped.is_all_unchecked.
unchecked as (
    select * from touched
)
{%- endif %}

select * from unchecked
