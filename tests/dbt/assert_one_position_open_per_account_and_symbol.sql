-- The lives of the positions of one (account, symbol) do not overlap: each begins at or
-- after the end of the one before, and at most the last is open.
-- Why: a position is the fills from flat to flat, so a second one cannot begin before.
-- A returned row is a position that begins while another of its lane is open.
with closed as (
    {{ of_positions_to_check(ref('position_history'), 'id') }}
),

lives as (
    select
        id,
        account_name,
        coalesce(option_symbol, ticker) as symbol,
        entry_time,
        exit_time
    from closed

    union all

    select
        id,
        account_name,
        coalesce(option_symbol, ticker) as symbol,
        entry_time,
        'infinity'::timestamptz as exit_time
    from {{ ref('active_positions') }}
),

in_order as (
    select
        *,
        max(exit_time) over (
            partition by account_name, symbol
            order by entry_time, exit_time, id
            rows between unbounded preceding and 1 preceding
        ) as free_from
    from lives
)

select in_order.*
from in_order
left join {{ ref('int_lanes__unclaimed') }} as unclaimed
    on in_order.account_name = unclaimed.account_name and in_order.symbol = unclaimed.symbol
where
    in_order.entry_time < in_order.free_from
    -- What arrives while the tests run is the next build's.
    and unclaimed.symbol is null
