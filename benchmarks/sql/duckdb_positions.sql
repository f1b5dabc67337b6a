-- int_positions__derived (closed positions) in DuckDB, from the table that duckdb_legs.sql makes.
with aggregated as (
    select
        position_id,
        min(account_name) as account_name,
        min(symbol) as symbol,
        min(multiplier) as multiplier,
        bool_or(is_open_position) as is_open,
        sum(abs(signed_quantity)) filter (where is_opening)::bigint as entry_quantity,
        sum(abs(signed_quantity)) filter (where not is_opening)::bigint as exit_quantity,
        sum(abs(signed_quantity) * price) filter (where is_opening)::bigint as entry_cash,
        sum(abs(signed_quantity) * price) filter (where not is_opening)::bigint as exit_cash,
        max(abs(quantity_after)) as peak_quantity,
        count(*) filter (where is_opening) as entry_fill_count,
        count(*) filter (where not is_opening) as exit_fill_count,
        max(leg_number) as leg_count
    from built
    where not is_open_position
    group by position_id
)
select
    a.position_id,
    a.account_name,
    a.symbol,
    f.symbol_id,
    a.multiplier,
    case when f.quantity_after > 0 then 'long' else 'short' end as side,
    a.is_open,
    a.entry_quantity,
    abs(l.quantity_after) as open_quantity,
    a.entry_cash / a.entry_quantity / 10000 as entry_price,
    a.exit_cash / nullif(a.exit_quantity, 0) / 10000 as exit_price,
    a.entry_cash * a.multiplier as entry_notional,
    l.cash_after * a.multiplier as cash,
    a.peak_quantity,
    a.entry_fill_count,
    a.exit_fill_count,
    f.event_id as opening_event_id,
    f.order_id as opening_order_id,
    f.client_order_id as opening_client_order_id,
    f.execution_id as opening_execution_id,
    f.leg_started_at as opened_at,
    l.event_id as last_event_id,
    l.order_id as last_order_id,
    l.client_order_id as last_client_order_id,
    l.leg_started_at as last_event_at,
    l.price as last_event_price,
    l.received_at as last_event_received_at
from aggregated as a
inner join built as f on f.position_id = a.position_id and f.leg_number = 1
inner join built as l on l.position_id = a.position_id and l.leg_number = a.leg_count
