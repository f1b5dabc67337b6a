{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        indexes=[{'columns': ['position_id']}],
        post_hook=['analyze {{ this }}', '{{ saw_changes(this.name) }}'],
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

with legs as (
    {{ legs_to_derive() }}
),

derived as (
    {{ derived_positions('legs') }}
)

select * from derived
