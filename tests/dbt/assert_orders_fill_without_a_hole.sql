-- The executions of an order form a chain: the running total before each is the running
-- total after the one before.
-- Why a warning: a hole is an execution that was missed; catch-up fetches it.
-- A returned row is an execution before which one is missing. Orders with a bust or a
-- correction are left out: the broker restates their totals in its own ways.
{{ config(severity='warn') }}

-- Read in the order of its index.
with fills as not materialized (
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
        ) as total_after_previous
    from fills
),

broken as (
    select * from chained
    where total_before <> total_after_previous
)

select broken.*
from broken
where
    not exists (
        select 1 from fills
        where
            fills.account_name = broken.account_name
            and fills.order_id = broken.order_id
            and fills.kind <> 'fill'
    )
