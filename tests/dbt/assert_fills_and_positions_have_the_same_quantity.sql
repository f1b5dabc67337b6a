-- For each (account, symbol): the quantity bought and sold is the quantity with which its
-- positions were opened and closed, and bought less sold is what is open.
-- Why: like the sums of cash, it holds whatever the positions are cut into.
-- A returned row is an (account, symbol) whose sums differ by more than dust.
-- A lane with a split is left out, because its fills and positions are stated in
-- different units; its cash is compared like any other's.
with executions as (
    {{ executions_to_check() }}
),

openings as (
    {{ openings_to_check() }}
),

legs as not materialized (
    {{ legs_to_check() }}
),

closed as (
    {{ of_positions_to_check(ref('position_history'), 'id') }}
),

split_lanes as (
    select distinct
        account_name,
        symbol
    from legs
    where moves = 'split'
),

-- What moved without a fill is taken from the legs: an expiry takes what is open.
moves as (
    select
        account_name,
        symbol,
        signed_quantity
    from executions

    union all

    select
        account_name,
        symbol,
        signed_quantity
    from openings

    union all

    select
        account_name,
        symbol,
        signed_quantity
    from legs
    where event_type not in ('FILL', 'OPENING')
),

moved as (
    select
        moves.account_name,
        moves.symbol,
        sum(abs(moves.signed_quantity)) as turned_over,
        sum(moves.signed_quantity) as left_over,
        count(*) * {{ var('dust_quantity') }} as tolerance
    from moves
    left join split_lanes
        on moves.account_name = split_lanes.account_name and moves.symbol = split_lanes.symbol
    where split_lanes.symbol is null
    group by moves.account_name, moves.symbol
),

-- A closed position was opened and closed with the same quantity.
open_turnover as (
    select
        position_id,
        sum(abs(signed_quantity)) as turned_over
    from legs
    where is_open_position
    group by position_id
),

closed_positions as (
    select
        account_name,
        coalesce(option_symbol, ticker) as symbol,
        entry_time,
        2 * quantity as turned_over
    from closed
),

positions as (
    select
        account_name,
        symbol,
        turned_over,
        0 as left_over
    from closed_positions
    where {{ is_of_lanes_to_check('closed_positions') }}

    union all

    select
        active_positions.account_name,
        coalesce(active_positions.option_symbol, active_positions.ticker) as symbol,
        open_turnover.turned_over,
        case active_positions.side when 'short' then -1 else 1 end * active_positions.quantity as left_over
    from {{ ref('active_positions') }} as active_positions
    inner join open_turnover on active_positions.id = open_turnover.position_id
),

held as (
    select
        account_name,
        symbol,
        sum(turned_over) as turned_over,
        sum(left_over) as left_over
    from positions
    group by account_name, symbol
)

select
    moved.account_name,
    moved.symbol,
    moved.turned_over as moved_quantity,
    held.turned_over as held_quantity,
    moved.left_over as moved_left_over,
    held.left_over as held_left_over
from moved
left join held
    on moved.account_name = held.account_name and moved.symbol = held.symbol
left join {{ ref('int_lanes__unclaimed') }} as unclaimed
    on moved.account_name = unclaimed.account_name and moved.symbol = unclaimed.symbol
where
    -- What arrives while the tests run is the next build's.
    unclaimed.symbol is null
    and (
        abs(moved.turned_over - coalesce(held.turned_over, 0)) > moved.tolerance
        or abs(moved.left_over - coalesce(held.left_over, 0)) > moved.tolerance
    )
