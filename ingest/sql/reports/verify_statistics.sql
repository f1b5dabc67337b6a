-- The newest statistics against the positions that they count, one row per window.
with newest as (
    select max(as_of_date) as as_of_date from analytics.strategy_stats
),

stats as (
    select strategy_stats.*
    from analytics.strategy_stats as strategy_stats
    inner join newest on strategy_stats.as_of_date = newest.as_of_date
),

history as (
    select
        (exit_time at time zone 'America/New_York')::date as exit_date,
        win_loss_label
    from analytics.position_history
    where not is_opening_synthetic
),

totals as (
    select * from stats
    where is_all_tickers and strategy_type = 'ALL' and asset_type = 'ALL'
),

recomputed as (
    select
        totals.lookback_days,
        count(history.exit_date) as positions,
        count(*) filter (where history.win_loss_label = 1) as wins
    from totals
    left join history
        on history.exit_date <= totals.as_of_date
        and history.exit_date > totals.as_of_date - totals.lookback_days
    group by totals.lookback_days
),

falling as (
    select
        lookback_days,
        count(*) as n_rows,
        count(*) filter (
            where not (
                mae_p50 <= mae_p70 and mae_p70 <= mae_p80 and mae_p80 <= mae_p90
                and mfe_p50 <= mfe_p70 and mfe_p70 <= mfe_p80 and mfe_p80 <= mfe_p90
                and return_p10 <= return_p20 and return_p20 <= return_p25
                and return_p25 <= return_p30 and return_p30 <= return_p40
                and return_p40 <= return_p50 and return_p50 <= return_p60
                and return_p60 <= return_p70 and return_p70 <= return_p75
                and return_p75 <= return_p80 and return_p80 <= return_p90
            )
        ) as n_falling
    from stats
    group by lookback_days
)

select
    (select max(exit_date) from history) as newest_exit,
    totals.as_of_date,
    totals.lookback_days,
    totals.n_trades,
    totals.win_rate,
    recomputed.positions,
    recomputed.wins,
    falling.n_rows,
    falling.n_falling
from totals
inner join recomputed on totals.lookback_days = recomputed.lookback_days
inner join falling on totals.lookback_days = falling.lookback_days
order by totals.lookback_days;
