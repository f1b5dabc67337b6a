{# Never made anew: a full refresh would forget all dates but one. A range of dates is recomputed by its vars. #}
{{
    config(
        incremental_strategy='replace_dates',
        full_refresh=false,
        post_hook='{{ analyze_anew(this) }}'
    )
}}

with rolled_up as (
    select * from {{ ref('int_strategy_stats__rolled_up') }}
),

computed as (
    select
        rolled_up.as_of_date,
        rolled_up.lookback_days,
        rolled_up.ticker,
        rolled_up.strategy_type,
        rolled_up.asset_type,
        rolled_up.n_trades::integer as n_trades,
        {{ statistic('rolled_up.wins / rolled_up.n_trades') }} as win_rate,
        {{ statistic(wilson_bound('rolled_up.wins', 'rolled_up.n_trades', '-')) }} as win_rate_low,
        {{ statistic(wilson_bound('rolled_up.wins', 'rolled_up.n_trades', '+')) }} as win_rate_high,
        {{ statistic('rolled_up.avg_return') }} as avg_return,
        {{ statistic('rolled_up.return_p50') }} as median_return,
        {{ statistic('rolled_up.expectancy_dollars') }} as expectancy_dollars,
        {{ statistic('rolled_up.won_dollars / nullif(rolled_up.lost_dollars, 0)') }} as profit_factor,
        {{ statistic('rolled_up.avg_win_dollars / nullif(rolled_up.avg_loss_dollars, 0)') }} as payoff_ratio,
        {{ statistic('rolled_up.avg_mae') }} as avg_mae,
        {{ statistic('rolled_up.avg_mfe') }} as avg_mfe,
        {% for kind, percentiles in percentile_columns() -%}
        {% for p in percentiles -%}
        {{ statistic('rolled_up.' ~ kind ~ '_p' ~ p) }} as {{ kind }}_p{{ p }},
        {% endfor -%}
        {% endfor -%}
        {{ statistic('rolled_up.avg_hold_win_min') }} as avg_hold_win_min,
        {{ statistic('rolled_up.avg_hold_loss_min') }} as avg_hold_loss_min,
        {{ statistic('rolled_up.median_hold_win_min') }} as median_hold_win_min,
        {{ statistic(
            'case when rolled_up.n_trades >= 30 then rolled_up.avg_return / nullif(rolled_up.return_deviation, 0) end'
        ) }} as sharpe,
        {{ statistic('rolled_up.max_drawdown_dollars') }} as max_drawdown,
        rolled_up.n_trades >= 30 as is_reliable,
        rolled_up.is_all_tickers
    from rolled_up
),

{% if is_incremental() %}
-- By two bounds, which the primary key can answer: other dates are not read.
stored as (
    select * from {{ this }}
    where
        as_of_date >= (select min(computed.as_of_date) from computed)
        and as_of_date <= (select max(computed.as_of_date) from computed)
),

-- A date computed again keeps its time of update unless a number moved.
final as (
    select
        computed.*,
        case
            when to_jsonb(computed) = to_jsonb(stored) - 'updated_at' then stored.updated_at
            else current_timestamp
        end as updated_at
    from computed
    left join stored
        on computed.as_of_date = stored.as_of_date
        and computed.lookback_days = stored.lookback_days
        and computed.is_all_tickers = stored.is_all_tickers
        and computed.ticker = stored.ticker
        and computed.strategy_type = stored.strategy_type
        and computed.asset_type = stored.asset_type
)
{% else %}
final as (
    select
        computed.*,
        current_timestamp as updated_at
    from computed
)
{% endif %}

select * from final
