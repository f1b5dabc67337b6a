-- Each execution that counts, and each synthetic opening, is a leg of a position, and that position is in
-- position_history or active_positions. The one exception: a quantity under
-- dust_quantity while flat opens nothing.
-- Why: a fill that is left out is money that is left out.
-- A returned row is an execution that no position holds.
with executions as (
    select
        event_id,
        account_name,
        symbol,
        signed_quantity
    from {{ ref('int_executions__resolved') }}

    union all

    select
        event_id,
        account_name,
        symbol,
        signed_quantity
    from {{ ref('stg_alpaca__openings') }}
),

legs as (
    select * from {{ ref('int_legs__built') }}
),

positions as (
    select id from {{ ref('position_history') }}
    union all
    select id from {{ ref('active_positions') }}
),

held as (
    select legs.event_id
    from legs
    inner join positions on legs.position_id = positions.id
)

select executions.*
from executions
left join {{ ref('int_lanes__unclaimed') }} as unclaimed
    on executions.account_name = unclaimed.account_name and executions.symbol = unclaimed.symbol
where
    not exists (
        select 1 from held
        where held.event_id = executions.event_id
    )
    -- What arrives while the tests run is the next build's.
    and unclaimed.symbol is null
    and abs(executions.signed_quantity) >= {{ var('dust_quantity') }}
