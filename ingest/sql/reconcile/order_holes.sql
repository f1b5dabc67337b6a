-- One row per order of an account whose executions do not add up to what is filled: the
-- chain cum_qty - qty = the previous cum_qty has a hole, or the order says more.
-- A busted execution leaves a hole that is right; the parent of a multi-leg order has no
-- executions of its own.
with recent as (
    select order_id, filled_qty, symbol
    from raw.orders
    where
        account_name = %(account)s
        and order_class is distinct from 'mleg'
        and updated_at > (
            select max(newest.updated_at) - interval '8 days'
            from raw.orders as newest
            where newest.account_name = %(account)s
        )
),

filled as (
    select
        order_id,
        sum(qty) filter (where superseded_by is null and kind = 'fill') as qty,
        max(cum_qty) filter (where superseded_by is null and kind = 'fill') as cum_qty,
        bool_or(superseded_by is not null or kind <> 'fill') as is_amended
    from raw.fills
    where account_name = %(account)s and order_id in (select order_id from recent)
    group by order_id
)

select
    recent.order_id,
    recent.symbol,
    coalesce(filled.qty, 0) as recorded_qty,
    greatest(filled.cum_qty, recent.filled_qty) as filled_qty
from recent
left join filled on recent.order_id = filled.order_id
where
    filled.is_amended is not true
    and greatest(filled.cum_qty, recent.filled_qty) > coalesce(filled.qty, 0)
order by recent.order_id;
