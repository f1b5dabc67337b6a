-- Per account and symbol: what the fills say was traded against what the positions say,
-- bought minus sold and both added up. Less than dust per fill may have been rounded off.
with legs as (
    select * from analytics_intermediate.int_legs__built
),

placed as (
    select distinct account_name, event_id from legs where moves = 'trade'
),

fills as (
    select
        executions.account_name,
        executions.symbol,
        count(*) as fills,
        sum(executions.signed_quantity) as net_quantity,
        sum(abs(executions.signed_quantity)) as quantity
    from analytics_intermediate.int_executions__resolved as executions
    inner join placed
        on executions.account_name = placed.account_name
        and executions.event_id = placed.event_id
    group by executions.account_name, executions.symbol
),

positions as (
    select
        account_name,
        symbol,
        sum(signed_quantity) as net_quantity,
        sum(abs(signed_quantity)) as quantity
    from legs
    where event_type = 'FILL'
    group by account_name, symbol
),

-- The marts again from the legs: closed and open positions.
closed_legs as (
    select
        position_id,
        sum(abs(signed_quantity) * units_at_end) filter (where is_opening) as quantity
    from legs
    where not is_open_position
    group by position_id
),

differing as (
    select coalesce(fills.account_name, positions.account_name) || ' ' || coalesce(fills.symbol, positions.symbol) as lane
    from fills
    full join positions
        on fills.account_name = positions.account_name and fills.symbol = positions.symbol
    where
        fills.account_name is null
        or positions.account_name is null
        or abs(fills.net_quantity - positions.net_quantity) > 0.00000001 * fills.fills
        or abs(fills.quantity - positions.quantity) > 0.00000001 * fills.fills

    union all

    select history.account_name || ' ' || coalesce(history.option_symbol, history.ticker)
    from closed_legs
    inner join analytics.position_history as history on closed_legs.position_id = history.id
    where abs(closed_legs.quantity - history.quantity) > 0.00000001
)

select
    (select coalesce(sum(fills), 0)::bigint from fills) as fills,
    (select count(*) from fills) as lanes,
    (select count(*) from closed_legs) as closed,
    (select count(*) from differing) as differing,
    (select min(lane) from differing) as example;
