{#
    What the legs of a position say of it: one row per position. legs: a relation of the
    columns of int_legs__built, whole positions.
#}
{% macro derived_positions(legs) %}
with legs as (
    select * from {{ legs }}
),

-- Quantities and prices are stated in the units at the end of the position, so that a
-- split changes no dollars.
aggregated as (
    select
        position_id,
        min(account_name) as account_name,
        min(symbol) as symbol,
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
        max(leg_number) as leg_count,
        max(leg_started_at) filter (where leg_number = 1 or moves = 'split') as unit_began_at
    from legs
    group by position_id
),

opening_legs as (
    select * from legs
    where leg_number = 1
),

last_legs as (
    select legs.*
    from legs
    inner join aggregated
        on legs.position_id = aggregated.position_id and legs.leg_number = aggregated.leg_count
),

derived as (
    select
        aggregated.position_id,
        aggregated.account_name,
        aggregated.symbol,
        opening_legs.symbol_id,
        aggregated.multiplier,
        case when opening_legs.quantity_after > 0 then 'long' else 'short' end as side,
        aggregated.is_open,
        aggregated.is_dust_closed,
        aggregated.entry_quantity,
        abs(last_legs.quantity_after) as open_quantity,
        last_legs.quantity_after as signed_open_quantity,
        aggregated.entry_cash / nullif(aggregated.entry_quantity, 0) as entry_price,
        aggregated.exit_cash / nullif(aggregated.exit_quantity, 0) as exit_price,
        aggregated.entry_cash * aggregated.multiplier as entry_notional_dollars,
        last_legs.cash_after * aggregated.multiplier as cash_dollars,
        aggregated.peak_quantity,
        aggregated.entry_fill_count,
        aggregated.exit_fill_count,
        opening_legs.units_at_end as opening_units_at_end,
        opening_legs.event_id as opening_event_id,
        opening_legs.order_id as opening_order_id,
        opening_legs.client_order_id as opening_client_order_id,
        opening_legs.execution_id as opening_execution_id,
        opening_legs.event_type = 'OPENING' as is_opening_synthetic,
        opening_legs.leg_started_at as opened_at,
        aggregated.unit_began_at,
        last_legs.event_id as last_event_id,
        last_legs.event_type as last_event_type,
        last_legs.order_id as last_order_id,
        last_legs.client_order_id as last_client_order_id,
        last_legs.leg_started_at as last_event_at,
        case when last_legs.moves = 'trade' then last_legs.price end as last_event_price,
        last_legs.received_at as last_event_received_at
    from aggregated
    inner join opening_legs on aggregated.position_id = opening_legs.position_id
    inner join last_legs on aggregated.position_id = last_legs.position_id
)

select * from derived
{% endmacro %}
