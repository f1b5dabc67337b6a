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
    select * from {{ ref('int_legs__built') }}
    where not is_open_position
),

legs_to_derive as (
    {% if derives_some() -%}
    select legs.*
    from {{ ref('int_positions__touched') }} as touched
    inner join legs on touched.position_id = legs.position_id
    {%- else -%}
    select * from legs
    {%- endif %}
),

derived as (
    {{ derived_positions('legs_to_derive') }}
)

select * from derived
