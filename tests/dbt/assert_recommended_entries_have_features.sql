-- Wherever the dispatcher's order names a recommendation, the position that it opened has
-- the recommendation's features.
-- Why: a training set with holes teaches the holes. feature_coverage reports the share.
-- A returned row is a position whose recommendation was not found or kept no features.
with positions as (
    select
        id,
        execution_uuid,
        entry_features_json
    from {{ ref('position_history') }}
    union all
    select
        id,
        execution_uuid,
        entry_features_json
    from {{ ref('active_positions') }}
),

executions as (
    select * from {{ ref('stg_dispatch__executions') }}
    where recommendation_id is not null
)

select
    positions.id,
    positions.execution_uuid,
    executions.recommendation_id
from positions
inner join executions on positions.execution_uuid = executions.execution_uuid
where positions.entry_features_json is null
