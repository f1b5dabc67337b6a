with positions as (
    select * from {{ ref('int_positions__described') }}
),

orders as (
    select * from {{ ref('stg_alpaca__orders') }}
    where order_type in ('stop', 'stop_limit')
),

-- The stop that the dispatcher planned, else the stop leg of the entry's bracket.
bracket_stops as (
    select
        positions.position_id,
        min(orders.stop_price) as stop_price
    from positions
    inner join orders
        on positions.account_name = orders.account_name
        and positions.opening_order_id = orders.parent_order_id
    group by positions.position_id
    having count(distinct orders.stop_price) = 1
),

-- Stops are stated in the units of the entry; the position in those at its end.
stops as (
    select
        positions.position_id,
        positions.side,
        positions.entry_price,
        positions.entry_quantity,
        positions.multiplier,
        coalesce(positions.stop_price, bracket_stops.stop_price) / positions.opening_units_at_end as stop_price
    from positions
    left join bracket_stops on positions.position_id = bracket_stops.position_id
),

-- A stop on the wrong side of the entry risks nothing that can be divided by.
risked as (
    select
        position_id,
        case side when 'long' then 1 else -1 end
        * (entry_price - stop_price) * entry_quantity * multiplier as initial_risk_dollars
    from stops
    where
        (side = 'long' and stop_price < entry_price)
        or (side = 'short' and stop_price > entry_price)
)

select * from risked
