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

with measured as (
    {{ each_day(
        leg_paths,
        ref('int_leg_days__touched'),
        'position_id uuid, leg_number bigint, observed_date date, longest_gap interval, deepest_price_fall numeric'
    ) }}
)

-- depends_on: {{ ref('int_positions__replaced') }}, {{ ref('stg_alpaca__mark_days') }}
select * from measured
