-- For each (account, symbol): what sells brought less what buys took is the P&L of its
-- closed positions plus the cash of the open one.
-- Why: it holds whatever the positions are cut into, so it finds what the models lose,
-- double or invent.
-- A returned row is an (account, symbol) whose two sums differ by more than rounding:
-- each fill may have lost dust, each stored amount its tenth decimal.
with instruments as (
    select * from {{ ref('stg_alpaca__instruments') }}
),

-- A stock leg of an exercise or assignment is a fill at the strike, a synthetic opening
-- one at its price. Splits, expiries and the
-- option legs move no cash.
moves as (
    select
        account_name,
        symbol,
        signed_quantity,
        price
    from {{ ref('int_executions__resolved') }}

    union all

    select
        account_name,
        symbol,
        quantity as signed_quantity,
        price
    from {{ ref('stg_alpaca__account_activities') }}
    where activity_type = 'OPTRD' and quantity <> 0 and price is not null

    union all

    select
        account_name,
        symbol,
        signed_quantity,
        price
    from {{ ref('stg_alpaca__openings') }}
),

summed as (
    select
        account_name,
        symbol,
        sum(-signed_quantity * price) as moved_cash,
        sum({{ var('dust_quantity') }} * price) as tolerance,
        count(*) as move_count
    from moves
    group by account_name, symbol
),

moved as (
    select
        summed.account_name,
        summed.symbol,
        summed.moved_cash * instruments.multiplier as moved_dollars,
        summed.tolerance * instruments.multiplier + summed.move_count * 0.000000001 as tolerance_dollars
    from summed
    inner join instruments on summed.symbol = instruments.symbol
),

open_positions as (
    select distinct on (position_id)
        account_name,
        symbol,
        cash_after * multiplier as cash_dollars
    from {{ ref('int_legs__built') }}
    where is_open_position
    order by position_id asc, leg_number desc
),

positions as (
    select
        account_name,
        coalesce(option_symbol, ticker) as symbol,
        pnl_dollars as cash_dollars
    from {{ ref('position_history') }}

    union all

    select
        account_name,
        symbol,
        cash_dollars
    from open_positions
),

held as (
    select
        account_name,
        symbol,
        sum(cash_dollars) as held_dollars
    from positions
    group by account_name, symbol
)

select
    coalesce(moved.account_name, held.account_name) as account_name,
    coalesce(moved.symbol, held.symbol) as symbol,
    moved.moved_dollars,
    held.held_dollars
from moved
full outer join held
    on moved.account_name = held.account_name and moved.symbol = held.symbol
left join {{ ref('int_lanes__unclaimed') }} as unclaimed
    on coalesce(moved.account_name, held.account_name) = unclaimed.account_name
    and coalesce(moved.symbol, held.symbol) = unclaimed.symbol
where
    -- What arrives while the tests run is the next build's.
    unclaimed.symbol is null
    and abs(coalesce(moved.moved_dollars, 0) - coalesce(held.held_dollars, 0))
    > coalesce(moved.tolerance_dollars, 0)
