{{ config(materialized='ephemeral') }}

{#- ALL is also the ticker of a company, so a flag tells the two apart. #}
{% set labels -%}
grouping(ticker) = 1 as is_all_tickers,
            coalesce(ticker, 'ALL') as ticker,
            coalesce(strategy_type, 'ALL') as strategy_type,
            coalesce(asset_type, 'ALL') as asset_type
{%- endset %}

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
        ),

        -- Of the finest groups: the sums of a roll-up are sums of theirs. To add up each
        -- position once for each of the eight roll-ups took half as long again.
        summed as (
            select
                ticker,
                strategy_type,
                asset_type,
                count(*)::numeric as n_trades,
                count(*) filter (where win_loss_label = 1)::numeric as wins,
                count(*) filter (where win_loss_label = -1)::numeric as losses,
                -- Of what cost nothing there is no percentage.
                count(pnl_pct)::numeric as return_count,
                sum(pnl_pct) as return_sum,
                sum(pnl_pct * pnl_pct) as squared_return_sum,
                sum(net_pnl_dollars) as net_dollars,
                sum(net_pnl_dollars) filter (where win_loss_label = 1) as won_dollars,
                sum(net_pnl_dollars) filter (where win_loss_label = -1) as lost_dollars,
                count(mae_pct)::numeric as mae_count,
                sum(mae_pct) as mae_sum,
                count(mfe_pct)::numeric as mfe_count,
                sum(mfe_pct) as mfe_sum,
                sum(holding_minutes) filter (where win_loss_label = 1) as win_minutes,
                sum(holding_minutes) filter (where win_loss_label = -1) as loss_minutes
            from counted
            group by ticker, strategy_type, asset_type
        ),

        sums as (
            select
                {{ labels }},
                sum(n_trades) as n_trades,
                sum(wins) as wins,
                sum(losses) as losses,
                sum(return_count) as return_count,
                sum(return_sum) as return_sum,
                sum(squared_return_sum) as squared_return_sum,
                sum(net_dollars) as net_dollars,
                sum(won_dollars) as won_dollars,
                sum(lost_dollars) as lost_dollars,
                sum(mae_count) as mae_count,
                sum(mae_sum) as mae_sum,
                sum(mfe_count) as mfe_count,
                sum(mfe_sum) as mfe_sum,
                sum(win_minutes) as win_minutes,
                sum(loss_minutes) as loss_minutes
            from summed
            group by cube (ticker, strategy_type, asset_type)
        ),

        -- What the order of a group's positions tells, and no part of it alone.
        orders as (
            select
                {{ labels }},
                {{ max_drawdown('net_pnl_dollars', 'exit_time, id') }} as max_drawdown_dollars,
                {% for kind, percentiles in percentile_columns() -%}
                {% for p in percentiles -%}
                percentile_cont({{ p / 100 }}) within group (order by {{ kind }}_double) as {{ kind }}_p{{ p }},
                {% endfor -%}
                {% endfor -%}
                percentile_cont(0.5) within group (order by holding_double)
                filter (where win_loss_label = 1) as median_hold_win_min
            from counted
            group by cube (ticker, strategy_type, asset_type)
            -- The grand total has a row even of nothing.
            having count(*) > 0
        )

        select
            sums.is_all_tickers,
            sums.ticker,
            sums.strategy_type,
            sums.asset_type,
            sums.n_trades,
            sums.wins,
            sums.return_sum / nullif(sums.return_count, 0) as avg_return,
            -- Sample deviation, from the sum of squares: numeric loses no digits.
            sqrt(
                greatest(sums.return_count * sums.squared_return_sum - sums.return_sum * sums.return_sum, 0)
                / nullif(sums.return_count * (sums.return_count - 1), 0)
            ) as return_deviation,
            sums.net_dollars / sums.n_trades as expectancy_dollars,
            coalesce(sums.won_dollars, 0) as won_dollars,
            -sums.lost_dollars as lost_dollars,
            sums.won_dollars / nullif(sums.wins, 0) as avg_win_dollars,
            -sums.lost_dollars / nullif(sums.losses, 0) as avg_loss_dollars,
            sums.mae_sum / nullif(sums.mae_count, 0) as avg_mae,
            sums.mfe_sum / nullif(sums.mfe_count, 0) as avg_mfe,
            sums.win_minutes / nullif(sums.wins, 0) as avg_hold_win_min,
            sums.loss_minutes / nullif(sums.losses, 0) as avg_hold_loss_min,
            orders.max_drawdown_dollars,
            {% for kind, percentiles in percentile_columns() -%}
            {% for p in percentiles -%}
            orders.{{ kind }}_p{{ p }},
            {% endfor -%}
            {% endfor -%}
            orders.median_hold_win_min
        from sums
        inner join orders
            on sums.is_all_tickers = orders.is_all_tickers
            and sums.ticker = orders.ticker
            and sums.strategy_type = orders.strategy_type
            and sums.asset_type = orders.asset_type
    ) as of_date
)

select * from rolled_up
