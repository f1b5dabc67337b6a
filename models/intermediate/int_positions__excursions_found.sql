{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        post_hook='analyze {{ this }}'
    )
}}

{% set within = marks_within(
    ref('int_positions__extremes_ranked'),
    'least(best_observed_from, worst_observed_from)',
    'greatest(best_observed_until, worst_observed_until)'
) -%}

with ranked as (
    select * from {{ ref('int_positions__extremes_ranked') }}
),

found as (
    select
        ranked.position_id,
        ranked.best_pnl as best_unrealized_pnl_dollars,
        {{ extreme_at('ranked', 'best', within) }} as best_unrealized_at,
        ranked.worst_pnl as worst_unrealized_pnl_dollars,
        {{ extreme_at('ranked', 'worst', within) }} as worst_unrealized_at,
        ranked.mark_count
    from ranked
)

select * from found
