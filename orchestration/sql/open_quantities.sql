-- One row per account and symbol of which the open quantity that the positions give is
-- not the one that the broker last stated. What was traded after the broker was asked
-- is not compared.
with derived as (
    select
        account_name,
        coalesce(option_symbol, ticker) as symbol,
        sum(case side when 'long' then quantity else -quantity end) as qty
    from analytics.active_positions
    group by 1, 2
),

stated as (
    select * from raw.broker_positions
),

compared as (
    select
        coalesce(derived.account_name, stated.account_name) as account_name,
        coalesce(derived.symbol, stated.symbol) as symbol,
        coalesce(derived.qty, 0) as derived_qty,
        coalesce(stated.qty, 0) as broker_qty,
        stated.observed_at
    from derived
    full join stated
        on derived.account_name = stated.account_name and derived.symbol = stated.symbol
    -- Of an account whose broker was never asked nothing is known.
    where coalesce(derived.account_name, stated.account_name) in (select account_name from stated)
)

select
    account_name,
    symbol,
    trim_scale(derived_qty)::text as derived_qty,
    trim_scale(broker_qty)::text as broker_qty
from compared
where
    abs(derived_qty - broker_qty) > %(dust)s
    and not exists (
        select from raw.fills
        where
            fills.account_name = compared.account_name
            and fills.symbol = compared.symbol
            and fills.executed_at
            > coalesce(compared.observed_at, (
                select max(stated.observed_at) from stated
                where stated.account_name = compared.account_name
            ))
    )
order by account_name, symbol
