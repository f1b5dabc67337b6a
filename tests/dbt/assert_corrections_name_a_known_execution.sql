-- Each bust and correction names an execution that is stored.
-- Why a warning: it may arrive before the execution, or after a gap; until then a
-- correction stands for it and a bust does nothing.
-- A returned row is a bust or correction whose execution is not known.
{{ config(severity='warn') }}

with fills as not materialized (
    select * from {{ ref('stg_alpaca__fills') }}
),

events as (
    select * from {{ ref('stg_alpaca__events') }}
)

select
    fills.account_name,
    fills.event_id,
    fills.kind,
    fills.supersedes_event_id,
    fills.symbol,
    fills.executed_at
from fills
left join events on fills.supersedes_event_id = events.event_id
left join fills as named
    on coalesce(events.fill_event_id, fills.supersedes_event_id) = named.event_id
where fills.kind <> 'fill' and named.event_id is null
