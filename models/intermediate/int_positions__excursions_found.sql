{{
    config(
        materialized='incremental',
        incremental_strategy='replace_work',
        pre_hook='set local parallel_leader_participation = off',
        post_hook='analyze {{ this }}'
    )
}}

with found as (
    {{ each_part(
        found_excursions,
        'position_id uuid, best_unrealized_pnl_dollars numeric, best_unrealized_at timestamptz,'
        ~ ' worst_unrealized_pnl_dollars numeric, worst_unrealized_at timestamptz, mark_count bigint'
    ) }}
)

select * from found
