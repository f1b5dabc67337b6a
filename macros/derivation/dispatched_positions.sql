{#
    The decision behind each position: one row per position that the dispatcher opened.
    positions, dispatched: relations of the columns of derived_positions() and
    dispatched_orders().
#}
{% macro dispatched_positions(positions, dispatched) %}
with recommendations as (
    select * from {{ ref('stg_dispatch__recommendations') }}
),

-- An order that flips a position is sent to exit and opens the next one, so the intent
-- only ranks. Without a dispatch row the trade was manual.
candidates as (
    select distinct on (positions.position_id)
        positions.position_id,
        dispatched.*
    from {{ positions }} as positions
    inner join {{ dispatched }} as dispatched
        on positions.account_name = dispatched.account_name
        and positions.opening_order_id = dispatched.order_id
    order by
        positions.position_id,
        dispatched.match_rank,
        case dispatched.intent when 'entry' then 1 else 2 end,
        dispatched.created_at,
        dispatched.execution_uuid
),

bridged as (
    select
        candidates.position_id,
        candidates.execution_uuid,
        candidates.recommendation_id,
        candidates.strategy_type,
        candidates.max_hold_minutes,
        candidates.stop_price,
        candidates.target_price,
        recommendations.features_json as entry_features_json,
        recommendations.iv_rank as entry_iv_rank,
        recommendations.implied_volatility,
        recommendations.spread_pct as features_spread_pct,
        recommendations.created_at as recommended_at
    from candidates
    left join recommendations on candidates.recommendation_id = recommendations.recommendation_id
)

select * from bridged
{% endmacro %}
