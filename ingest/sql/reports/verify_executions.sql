-- Executions that the last build should have seen, and how many positions each is in.
-- One that arrived after it is not missing but new: `freshness` counts those.
with legs as (
    select account_name, event_id, position_id
    from analytics_intermediate.int_legs__built
),

built as (
    select max(fills.ingested_at) as until
    from raw.fills as fills
    inner join legs on fills.event_id = legs.event_id
),

executions as (
    select executions.event_id, executions.account_name
    from analytics_intermediate.int_executions__resolved as executions
    inner join raw.fills as fills on executions.event_id = fills.event_id
    cross join built
    where built.until is null or fills.ingested_at <= built.until
),

placed as (
    select
        executions.event_id,
        count(distinct legs.position_id) as positions
    from executions
    left join legs
        on executions.event_id = legs.event_id
        and executions.account_name = legs.account_name
    group by executions.event_id, executions.account_name
)

select
    count(*) as executions,
    count(*) filter (where positions = 0) as missing,
    count(*) filter (where positions = 2) as cut,
    count(*) filter (where positions > 2) as repeated,
    min(event_id) filter (where positions = 0) as example
from placed;
