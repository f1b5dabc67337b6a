-- The executions of an order form a chain: the running total before each is the running
-- total after the one before.
-- Why a warning: a hole is an execution that was missed; catch-up fetches it.
-- A returned row is an execution before which one is missing. Orders with a bust or a
-- correction are left out: the broker restates their totals in its own ways.
{{ config(severity='warn') }}

with fills as (
    select * from {{ ref('stg_alpaca__fills') }}
),

chained as (
    select
        account_name,
        order_id,
        event_id,
        symbol,
        executed_at,
        cumulative_quantity - quantity as total_before,
        coalesce(
            lag(cumulative_quantity) over (
                partition by account_name, order_id order by cumulative_quantity
            ),
            0
        ) as total_after_previous,
        bool_or(kind <> 'fill') over (partition by account_name, order_id) as is_restated
    from fills
)

select
    account_name,
    order_id,
    event_id,
    symbol,
    executed_at,
    total_before,
    total_after_previous
from chained
where not is_restated and total_before <> total_after_previous
