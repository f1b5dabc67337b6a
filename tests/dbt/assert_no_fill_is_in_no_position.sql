-- Each execution that counts, and each synthetic opening, is a leg of a position, and that position is in
-- position_history or active_positions. The one exception: a quantity under
-- dust_quantity while flat opens nothing.
-- Why: a fill that is left out is money that is left out.
-- A returned row is an execution that no position holds.
with resolved as (
    {{ executions_to_check() }}
),

openings as (
    {{ openings_to_check() }}
),

legs as (
    {{ legs_to_check() }}
),

closed as (
    {{ of_positions_to_check(ref('position_history'), 'id') }}
),

executions as (
    select
        event_id,
        account_name,
        symbol,
        signed_quantity
    from resolved

    union all

    select
        event_id,
        account_name,
        symbol,
        signed_quantity
    from openings
),

positions as (
    select id from closed
    union all
    select id from {{ ref('active_positions') }}
),

held as (
    select legs.event_id
    from legs
    inner join positions on legs.position_id = positions.id
),

-- As sets: nothing tells the planner how many they are.
left_out as (
    select event_id from executions
    except
    select event_id from held
)

select executions.*
from executions
inner join left_out on executions.event_id = left_out.event_id
left join {{ ref('int_lanes__unclaimed') }} as unclaimed
    on executions.account_name = unclaimed.account_name and executions.symbol = unclaimed.symbol
where
    -- What arrives while the tests run is the next build's.
    unclaimed.symbol is null
    and abs(executions.signed_quantity) >= {{ var('dust_quantity') }}
