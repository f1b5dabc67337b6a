{#
    What the legs of a position say of it: one row per position. legs: a relation of the
    columns of int_legs__built, whole positions.
#}
{% macro derived_positions(legs) %}
with
-- Quantities and prices are stated in the units at the end of the position, so that a
-- split changes no dollars. The first and the last leg are picked by filters and not by
-- joins, of which the planner would expect hardly a row.
aggregated as (
    select
        position_id,
        min(account_name) as account_name,
        min(symbol) as symbol,
        min(symbol_id) as symbol_id,
        min(multiplier) as multiplier,
        bool_or(is_open_position) as is_open,
        bool_or(is_dust_close) as is_dust_closed,
        sum(abs(signed_quantity) * units_at_end) filter (where is_opening) as entry_quantity,
        sum(abs(signed_quantity) * units_at_end) filter (where not is_opening and moves <> 'split') as exit_quantity,
        sum(abs(signed_quantity) * price) filter (where is_opening) as entry_cash,
        sum(abs(signed_quantity) * price) filter (where not is_opening and moves <> 'split') as exit_cash,
        max(abs(quantity_after) * units_at_end) as peak_quantity,
        count(*) filter (where is_opening) as entry_fill_count,
        count(*) filter (where not is_opening and moves <> 'split') as exit_fill_count,
        max(leg_started_at) filter (where leg_number = 1 or moves = 'split') as unit_began_at,
        min(quantity_after) filter (where leg_number = 1) as opening_quantity,
        min(units_at_end) filter (where leg_number = 1) as opening_units_at_end,
        min(event_id) filter (where leg_number = 1) as opening_event_id,
        min(order_id) filter (where leg_number = 1) as opening_order_id,
        min(client_order_id) filter (where leg_number = 1) as opening_client_order_id,
        min(execution_id::text) filter (where leg_number = 1)::uuid as opening_execution_id,
        min(event_type) filter (where leg_number = 1) as opening_event_type,
        min(leg_started_at) filter (where leg_number = 1) as opened_at,
        min(quantity_after) filter (where is_last) as last_quantity,
        min(cash_after) filter (where is_last) as last_cash,
        min(event_id) filter (where is_last) as last_event_id,
        min(event_type) filter (where is_last) as last_event_type,
        min(order_id) filter (where is_last) as last_order_id,
        min(client_order_id) filter (where is_last) as last_client_order_id,
        min(leg_started_at) filter (where is_last) as last_event_at,
        min(price) filter (where is_last and moves = 'trade') as last_event_price,
        min(received_at) filter (where is_last) as last_event_received_at
    from {{ legs }}
    group by position_id
)

select
    position_id,
    account_name,
    symbol,
    symbol_id,
    multiplier,
    case when opening_quantity > 0 then 'long' else 'short' end as side,
    is_open,
    is_dust_closed,
    entry_quantity,
    abs(last_quantity) as open_quantity,
    last_quantity as signed_open_quantity,
    entry_cash / nullif(entry_quantity, 0) as entry_price,
    exit_cash / nullif(exit_quantity, 0) as exit_price,
    entry_cash * multiplier as entry_notional_dollars,
    last_cash * multiplier as cash_dollars,
    peak_quantity,
    entry_fill_count,
    exit_fill_count,
    opening_units_at_end,
    opening_event_id,
    opening_order_id,
    opening_client_order_id,
    opening_execution_id,
    opening_event_type = 'OPENING' as is_opening_synthetic,
    opened_at,
    unit_began_at,
    last_event_id,
    last_event_type,
    last_order_id,
    last_client_order_id,
    last_event_at,
    last_event_price,
    last_event_received_at
from aggregated
{% endmacro %}
