-- int_legs__built in DuckDB, for lanes without splits, dust or closing events: the same
-- order of fills, flips and ids. Quantities are whole numbers, prices 1/10,000 dollars.
with timed as (
    select
        *,
        case side when 'buy' then quantity else -quantity end as amount,
        max(executed_at) over (
            partition by account_name, order_id order by cumulative_quantity, event_id
        ) as happened_at
    from fills
), ordered as (
    select
        *,
        row_number() over lane as event_number,
        sum(amount) over lane as quantity_after
    from timed
    window lane as (
        partition by account_name, symbol
        order by happened_at, order_id, cumulative_quantity, event_id
    )
), crossing as (
    select *, quantity_after - amount as quantity_before from ordered
), parts as (
    select
        * exclude (quantity_before, quantity_after), 1 as part, quantity_before as part_before,
        case when sign(quantity_before) * sign(quantity_after) = -1 then 0 else quantity_after end
            as part_after
    from crossing
    union all
    select
        * exclude (quantity_before, quantity_after), 2 as part, 0 as part_before,
        quantity_after as part_after
    from crossing where sign(quantity_before) * sign(quantity_after) = -1
), numbered as (
    select
        *,
        count(*) filter (where part_before = 0) over (
            partition by account_name, symbol order by event_number, part
        ) as position_number
    from parts
), identified as (
    select
        *,
        first_value(event_id) over position as opening_event_id,
        first_value(part) over position as opening_part,
        row_number() over position as leg_number,
        lead(happened_at) over position as next_happened_at,
        last_value(part_after) over whole_position as last_quantity,
        sum((part_before - part_after) * price) over position as cash_after
    from numbered
    window
        position as (
            partition by account_name, symbol, position_number order by event_number, part
        ),
        whole_position as (
            partition by account_name, symbol, position_number order by event_number, part
            rows between unbounded preceding and unbounded following
        )
)
select
    md5(account_name || chr(31) || i.symbol || chr(31) || opening_event_id || chr(31) || opening_part)::uuid
        as position_id,
    leg_number::integer as leg_number,
    account_name,
    i.symbol,
    symbol_id,
    multiplier,
    event_id,
    part,
    order_id,
    client_order_id,
    execution_id,
    amount as event_amount,
    price,
    (part_after - part_before)::bigint as signed_quantity,
    part_after::bigint as quantity_after,
    cash_after::bigint as cash_after,
    sign(part_after - part_before) = sign(part_after) as is_opening,
    last_quantity <> 0 as is_open_position,
    happened_at as leg_started_at,
    case when part_after = 0 then happened_at else coalesce(next_happened_at, 'infinity') end
        as leg_ended_at,
    received_at
from identified as i
inner join instruments using (symbol)
