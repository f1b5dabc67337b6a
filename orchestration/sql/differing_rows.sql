-- One row per position, and per row of the newest statistics, that is not the same in
-- the copy and in what was derived anew: the table, and how to find the row there.
with positions as (
    select
        coalesce(kept.id, anew.id) as id,
        coalesce(kept.kept, to_jsonb(anew)) as told
    from kept_positions as kept
    full join analytics.position_history as anew on kept.id = anew.id
    where kept.kept is distinct from to_jsonb(anew)
),

anew_statistics as (
    select
        as_of_date, is_all_tickers, ticker, strategy_type, asset_type,
        to_jsonb(strategy_stats) - 'updated_at' as anew
    from analytics.strategy_stats
    where as_of_date in (select as_of_date from kept_statistics)
),

statistics as (
    select coalesce(kept.kept, anew_statistics.anew) as told
    from kept_statistics as kept
    full join anew_statistics using (as_of_date, is_all_tickers, ticker, strategy_type, asset_type)
    where kept.kept is distinct from anew_statistics.anew
)

select
    'position_history' as table_name,
    'id ' || id as row_name
from positions
where
    not exists (
        select from arrived
        where
            coalesce(arrived.account_name, told ->> 'account_name') = told ->> 'account_name'
            and arrived.symbol = coalesce(told ->> 'option_symbol', told ->> 'ticker')
    )

union all

select
    'strategy_stats' as table_name,
    concat_ws(' ', told ->> 'as_of_date', told ->> 'ticker', told ->> 'strategy_type', told ->> 'asset_type')
        as row_name
from statistics
where not exists (select from arrived)

order by table_name, row_name
