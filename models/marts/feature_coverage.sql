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

recommendations as (
    select * from {{ ref('stg_dispatch__recommendations') }}
),

opened as (
    select
        {{ trading_date('entry_time') }} as trading_date,
        account_name,
        execution_uuid,
        entry_features_json
    from positions
    -- Nobody saw when, nor why, the others were opened.
    where not is_opening_synthetic
),

-- A position with features has them from its recommendation, which so need not be looked
-- for. The others' are: features that are lost on the way to the position show as neither
-- featured nor missing.
explained as (
    select
        trading_date,
        account_name,
        execution_uuid,
        true as is_recommended,
        true as is_featured,
        false as is_missing_snapshot
    from opened
    where entry_features_json is not null

    union all

    select
        opened.trading_date,
        opened.account_name,
        opened.execution_uuid,
        executions.recommendation_id is not null as is_recommended,
        false as is_featured,
        executions.recommendation_id is not null and recommendations.features_json is null as is_missing_snapshot
    from opened
    left join executions on opened.execution_uuid = executions.execution_uuid
    left join recommendations on executions.recommendation_id = recommendations.recommendation_id
    where opened.entry_features_json is null
),

counted as (
    select
        trading_date,
        account_name,
        count(*) as opened_count,
        count(execution_uuid) as dispatched_count,
        count(*) filter (where is_recommended) as recommended_count,
        count(*) filter (where is_featured) as featured_count,
        count(*) filter (where is_missing_snapshot) as missing_snapshot_count
    from explained
    group by trading_date, account_name
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
