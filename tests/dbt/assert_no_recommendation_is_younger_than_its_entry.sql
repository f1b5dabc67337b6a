-- The recommendation that explains an entry was made at or before it.
-- Why: features from after the entry know its outcome, and whoever learns from them
-- learns to look ahead.
-- A returned row is a position with a recommendation made after it was opened.
with closed as (
    {{ of_positions_to_check(ref('position_history'), 'id') }}
),

positions as (
    select
        id,
        execution_uuid,
        entry_time
    from closed
    union all
    select
        id,
        execution_uuid,
        entry_time
    from {{ ref('active_positions') }}
),

executions as (
    select * from {{ ref('stg_dispatch__executions') }}
),

recommendations as (
    select * from {{ ref('stg_dispatch__recommendations') }}
)

select
    positions.id,
    positions.entry_time,
    recommendations.recommendation_id,
    recommendations.created_at as recommended_at
from positions
inner join executions on positions.execution_uuid = executions.execution_uuid
inner join recommendations on executions.recommendation_id = recommendations.recommendation_id
where recommendations.created_at > positions.entry_time
