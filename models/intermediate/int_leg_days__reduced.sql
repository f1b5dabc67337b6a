{{
    config(
        materialized='incremental',
        incremental_strategy='replace_leg_days',
        indexes=[{'columns': ['position_id', 'leg_number', 'observed_date']}],
        pre_hook='set local parallel_leader_participation = off',
        post_hook=['{{ analyze_anew(this) }}', '{{ saw_changes(this.name) }}'],
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}
{{ require_marks(ref('int_leg_days__touched')) }}

with reduced as (
    {{ each_day(
        leg_marks,
        ref('int_leg_days__touched'),
        'position_id uuid, leg_number bigint, observed_date date, mark_count bigint, highest_price double precision,'
        ~ ' highest_at timestamptz, lowest_price double precision, lowest_at timestamptz,'
        ~ ' first_mark_at timestamptz, last_mark_at timestamptz'
    ) }}
)

-- depends_on: {{ ref('int_positions__replaced') }}, {{ ref('stg_alpaca__mark_days') }}
select * from reduced
