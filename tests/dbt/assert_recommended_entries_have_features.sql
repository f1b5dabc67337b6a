-- Wherever the recommendation that the dispatcher's order names kept its features, the
-- position that the order opened has them.
-- Why: a training set with holes teaches the holes, and these the models made.
-- A returned row is a position without the features that its recommendation has. One
-- that came without features is accepted: feature_coverage counts it.
with closed as (
    {{ of_positions_to_check(ref('position_history'), 'id') }}
),

positions as (
    select
        id,
        execution_uuid,
        entry_features_json
    from closed
    union all
    select
        id,
        execution_uuid,
        entry_features_json
    from {{ ref('active_positions') }}
),

executions as (
    select * from {{ ref('stg_dispatch__executions') }}
),

recommendations as (
    select * from {{ ref('stg_dispatch__recommendations') }}
    where features_json is not null
)

select
    positions.id,
    positions.execution_uuid,
    recommendations.recommendation_id
from positions
inner join executions on positions.execution_uuid = executions.execution_uuid
inner join recommendations on executions.recommendation_id = recommendations.recommendation_id
where positions.entry_features_json is null
