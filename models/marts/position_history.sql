{{
    config(
        incremental_strategy='replace_positions',
        unique_key='id',
        indexes=[{'columns': ['exit_time']}],
        post_hook=['{{ analyze_anew(this) }}', '{{ saw_changes(this.name) }}'],
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

-- depends_on: {{ ref('int_positions__touched') }}, {{ ref('int_positions__unchecked') }}
with positions as (
    select * from {{ ref('int_positions__described') }}
),

excursions as (
    select * from {{ ref('int_positions__excursions_found') }}
),

paths as (
    select * from {{ ref('int_positions__paths_measured') }}
),

exits as (
    select * from {{ ref('int_positions__exit_explained') }}
),

risks as (
    select * from {{ ref('int_positions__risked') }}
),

fees as (
    select
        position_id,
        sum(fee_dollars) as fees_dollars
    from {{ ref('int_fees__allocated') }}
    group by position_id
),

dividends as (
    select
        position_id,
        sum(dividend_dollars) as dividends_dollars
    from {{ ref('int_dividends__allocated') }}
    group by position_id
),

joined as (
    select
        positions.*,
        excursions.best_unrealized_pnl_dollars,
        excursions.worst_unrealized_pnl_dollars,
        excursions.best_unrealized_at,
        excursions.worst_unrealized_at,
        excursions.mark_count,
        paths.max_mark_gap_seconds,
        paths.max_give_back_dollars,
        exits.exit_reason,
        exits.exit_reason_raw,
        exits.exit_reason_source,
        risks.initial_risk_dollars,
        coalesce(fees.fees_dollars, 0) as fees_dollars,
        coalesce(dividends.dividends_dollars, 0) as dividends_dollars,
        -- When flat, what is left is cash: the P&L.
        positions.cash_dollars as pnl_dollars,
        positions.cash_dollars - coalesce(fees.fees_dollars, 0) + coalesce(dividends.dividends_dollars, 0)
            as net_pnl_dollars
    from positions
    inner join excursions on positions.position_id = excursions.position_id
    inner join paths on positions.position_id = paths.position_id
    inner join exits on positions.position_id = exits.position_id
    left join risks on positions.position_id = risks.position_id
    left join fees on positions.position_id = fees.position_id
    left join dividends on positions.position_id = dividends.position_id
),

final as (
    select
        position_id as id,
        opening_execution_id as execution_id,
        execution_uuid,
        ticker,
        instrument_type,
        strategy_type,
        side,
        entry_quantity::numeric(38, 9) as quantity,
        entry_price::numeric(38, 9) as entry_price,
        exit_price::numeric(38, 9) as exit_price,
        opened_at as entry_time,
        last_event_at as exit_time,
        pnl_dollars::numeric(38, 9) as pnl_dollars,
        ({{ percent_of('pnl_dollars', 'entry_notional_dollars') }})::numeric(38, 9) as pnl_pct,
        strike_price::numeric(38, 9) as strike_price,
        expiration_date,
        option_symbol,
        implied_volatility::numeric(38, 9) as implied_volatility,
        max_hold_minutes,
        floor(extract(epoch from last_event_at - opened_at))::bigint as holding_seconds,
        multiplier,
        exit_reason,
        last_order_id as exit_order_id,
        entry_features_json,
        entry_iv_rank::numeric(38, 9) as entry_iv_rank,
        entry_spread_pct::numeric(38, 9) as entry_spread_pct,
        ({{ percent_of('best_unrealized_pnl_dollars', 'entry_notional_dollars') }})::numeric(38, 9)
            as best_unrealized_pnl_pct,
        ({{ percent_of('worst_unrealized_pnl_dollars', 'entry_notional_dollars') }})::numeric(38, 9)
            as worst_unrealized_pnl_pct,
        best_unrealized_pnl_dollars::numeric(38, 9) as best_unrealized_pnl_dollars,
        worst_unrealized_pnl_dollars::numeric(38, 9) as worst_unrealized_pnl_dollars,
        last_event_received_at as created_at,
        account_name,
        exit_reason_raw,
        exit_reason_source,
        fees_dollars::numeric(38, 9) as fees_dollars,
        net_pnl_dollars::numeric(38, 9) as net_pnl_dollars,
        sign(net_pnl_dollars::numeric(38, 9))::integer as win_loss_label,
        (net_pnl_dollars / initial_risk_dollars)::numeric(38, 9) as r_multiple,
        best_unrealized_at,
        worst_unrealized_at,
        mark_count,
        max_mark_gap_seconds::numeric(38, 9) as max_mark_gap_seconds,
        max_give_back_dollars::numeric(38, 9) as max_give_back_dollars,
        (best_unrealized_pnl_dollars - pnl_dollars)::numeric(38, 9) as end_give_back_dollars,
        (pnl_dollars / nullif(best_unrealized_pnl_dollars, 0))::numeric(38, 9) as exit_efficiency,
        entry_fill_count,
        exit_fill_count,
        peak_quantity::numeric(38, 9) as peak_quantity,
        is_dust_closed,
        dividends_dollars::numeric(38, 9) as dividends_dollars,
        is_opening_synthetic
    from joined
)

select * from final
