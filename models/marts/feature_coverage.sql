{# A view: it counts what stands in two others, of any number of dates that are asked for. #}
{{ config(materialized='view') }}

with positions as (
    select
        account_name,
        entry_time,
        execution_uuid,
        entry_features_json,
        is_opening_synthetic
    from {{ ref('position_history') }}

    union all

    select
        account_name,
        entry_time,
        execution_uuid,
        entry_features_json,
        is_opening_synthetic
    from {{ ref('active_positions') }}
),

executions as (
    select * from {{ ref('stg_dispatch__executions') }}
),

-- Asked for once more, so that features that are lost on the way to the position show
-- as neither featured nor missing.
recommendations as (
    select * from {{ ref('stg_dispatch__recommendations') }}
),

counted as (
    select
        {{ trading_date('positions.entry_time') }} as trading_date,
        positions.account_name,
        count(*) as opened_count,
        count(positions.execution_uuid) as dispatched_count,
        count(executions.recommendation_id) as recommended_count,
        count(positions.entry_features_json) filter (where executions.recommendation_id is not null) as featured_count,
        count(executions.recommendation_id) filter (where recommendations.features_json is null)
            as missing_snapshot_count
    from positions
    left join executions on positions.execution_uuid = executions.execution_uuid
    left join recommendations on executions.recommendation_id = recommendations.recommendation_id
    -- Nobody saw when, nor why, the others were opened.
    where not positions.is_opening_synthetic
    group by 1, 2
),

final as (
    select
        trading_date,
        account_name,
        opened_count,
        dispatched_count,
        recommended_count,
        featured_count,
        ({{ percent_of('featured_count::numeric', 'recommended_count') }})::numeric(38, 9) as coverage_pct,
        missing_snapshot_count
    from counted
)

select * from final
