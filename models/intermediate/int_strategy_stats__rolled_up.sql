{{ config(materialized='ephemeral') }}

with dates as (
    select * from {{ ref('int_strategy_stats__dates') }}
),

positions as (
    select * from {{ ref('int_closed_positions__windowed') }}
),

-- Lateral: one date after the other, so that a year needs the memory of one date.
rolled_up as (
    select
        dates.as_of_date,
        {{ var('lookback_days') }} as lookback_days,
        of_date.*
    from dates
    cross join lateral ( -- noqa: ST05
        -- Materialized, so that expressions are not worked out again for each roll-up.
        with counted as materialized (
            select
                positions.*,
                -- What percentiles are taken of.
                positions.pnl_pct::double precision as return_double,
                positions.mae_pct::double precision as mae_double,
                positions.mfe_pct::double precision as mfe_double,
                positions.holding_minutes::double precision as holding_double
            from positions
            where positions.as_of_date = dates.as_of_date
        )

        select
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
            {{ max_drawdown('net_pnl_dollars', 'exit_time, id') }} as max_drawdown_dollars,
            avg(mae_pct) as avg_mae,
            avg(mfe_pct) as avg_mfe,
            {% for kind, percentiles in percentile_columns() -%}
            {% for p in percentiles -%}
            percentile_cont({{ p / 100 }}) within group (order by {{ kind }}_double) as {{ kind }}_p{{ p }},
            {% endfor -%}
            {% endfor -%}
            avg(holding_minutes) filter (where win_loss_label = 1) as avg_hold_win_min,
            avg(holding_minutes) filter (where win_loss_label = -1) as avg_hold_loss_min,
            percentile_cont(0.5) within group (order by holding_double)
            filter (where win_loss_label = 1) as median_hold_win_min
        from counted
        group by cube (ticker, strategy_type, asset_type)
        -- The grand total has a row even of nothing.
        having count(*) > 0
    ) as of_date
)

select * from rolled_up
