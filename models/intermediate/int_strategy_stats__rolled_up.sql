with positions as (
    select * from {{ ref('int_closed_positions__windowed') }}
),

rolled_up as (
    select
        as_of_date,
        lookback_days,
        grouping(ticker, strategy_type, asset_type) as rollup_level,
        -- ALL is also the ticker of a company, so a flag tells the two apart.
        grouping(ticker) = 1 as is_all_tickers,
        coalesce(ticker, 'ALL') as ticker,
        coalesce(strategy_type, 'ALL') as strategy_type,
        coalesce(asset_type, 'ALL') as asset_type,
        count(*)::numeric as n_trades,
        count(*) filter (where win_loss_label = 1)::numeric as wins,
        avg(pnl_pct) as avg_return,
        stddev_samp(pnl_pct) as return_deviation,
        avg(net_pnl_dollars) as expectancy_dollars,
        coalesce(sum(net_pnl_dollars) filter (where win_loss_label = 1), 0) as won_dollars,
        -sum(net_pnl_dollars) filter (where win_loss_label = -1) as lost_dollars,
        avg(net_pnl_dollars) filter (where win_loss_label = 1) as avg_win_dollars,
        -avg(net_pnl_dollars) filter (where win_loss_label = -1) as avg_loss_dollars,
        avg(mae_pct) as avg_mae,
        avg(mfe_pct) as avg_mfe,
        {% for kind, percentiles in percentile_columns() -%}
        {%- set column = {'mae': 'mae_pct', 'mfe': 'mfe_pct', 'return': 'pnl_pct'}[kind] -%}
        {% for p in percentiles -%}
        percentile_cont({{ p / 100 }}) within group (order by {{ column }}) as {{ kind }}_p{{ p }},
        {% endfor -%}
        {% endfor -%}
        avg(holding_minutes) filter (where win_loss_label = 1) as avg_hold_win_min,
        avg(holding_minutes) filter (where win_loss_label = -1) as avg_hold_loss_min,
        percentile_cont(0.5) within group (order by holding_minutes)
        filter (where win_loss_label = 1) as median_hold_win_min
    from positions
    group by as_of_date, lookback_days, cube (ticker, strategy_type, asset_type)
)

select * from rolled_up
