-- One row per symbol of an account that was ever moved: the quantity that the recorded
-- facts give, its first event, and what was held before that by the stream's own word.
-- Only sums: where the facts are complete their order does not matter here.
with last_words as (
    select distinct on (coalesce(supersedes, event_id)) *
    from raw.fills
    where account_name = %(account)s and superseded_by is null
    order by coalesce(supersedes, event_id), executed_at desc, event_id desc
),

executions as (
    select
        symbol,
        case side when 'buy' then qty else -qty end as signed_qty,
        position_qty,
        price,
        executed_at
    from last_words
    where kind <> 'bust'
),

activities as (
    select distinct on (activity_type, activity_id) *
    from raw.account_activities
    where account_name = %(account)s and symbol is not null and qty is not null
    order by
        activity_type,
        activity_id,
        case status when 'canceled' then 1 when 'correct' then 2 else 3 end
),

moves as (
    select symbol, signed_qty as qty from executions
    union all
    select symbol, qty from raw.openings where account_name = %(account)s
    union all
    select symbol, qty from activities
    where activity_type in ('OPTRD', 'SPLIT', 'CFEE') and status <> 'canceled'
),

moved as (
    select symbol, sum(qty) as qty from moves group by symbol
),

-- An expiry, exercise or assignment takes away at most what is open.
closed as (
    select symbol, sum(abs(qty)) as qty from activities
    where activity_type in ('OPEXP', 'OPEXC', 'OPASN') and status <> 'canceled'
    group by symbol
),

first_executions as (
    select distinct on (symbol) * from executions
    order by symbol, executed_at, position_qty
),

sums as (
    select
        executions.symbol,
        sum(signed_qty * executions.price) as cash,
        min(signed_qty) as lowest,
        max(signed_qty) as highest,
        sum(signed_qty) filter (where executed_at < openings.opened_at) as traded_before,
        sum(signed_qty) filter (where signed_qty > 0) as bought
    from executions
    left join raw.openings as openings
        on openings.account_name = %(account)s and executions.symbol = openings.symbol
    group by executions.symbol
)

select
    moved.symbol,
    sign(moved.qty) * greatest(abs(moved.qty) - coalesce(closed.qty, 0), 0) as qty,
    first_executions.executed_at as first_at,
    first_executions.price as first_price,
    first_executions.position_qty - first_executions.signed_qty as qty_before,
    sums.cash,
    sums.lowest,
    sums.highest,
    instruments.asset_class,
    openings.qty as opening_qty,
    sums.traded_before,
    sums.bought
from moved
left join closed on moved.symbol = closed.symbol
left join first_executions on moved.symbol = first_executions.symbol
left join sums on moved.symbol = sums.symbol
left join raw.instruments as instruments on moved.symbol = instruments.symbol
left join raw.openings as openings
    on openings.account_name = %(account)s and moved.symbol = openings.symbol;
