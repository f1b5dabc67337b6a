{{
    config(
        materialized='incremental',
        incremental_strategy='replace_leg_days',
        indexes=[{'columns': ['position_id', 'leg_number', 'observed_date']}],
        post_hook=['{{ analyze_anew(this) }}', '{{ saw_changes(this.name) }}'],
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}
{{ require_marks(ref('int_leg_days__touched')) }}

with leg_days as (
    select * from {{ ref('int_leg_days__touched') }}
),

reduced as (
    {{ leg_marks('leg_days', marks_within(ref('int_leg_days__touched'), 'observed_from', 'observed_until')) }}
)

-- depends_on: {{ ref('int_positions__replaced') }}
select * from reduced
