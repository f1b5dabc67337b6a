{{ config(materialized='view') }}

with positions as (
    select * from {{ planned_once(ref('int_open_positions__described')) }}
),

-- At the latest observation: a mark from before the last fill would value what was not
-- held then, and could lie outside the extremes.
valued as (
    select
        *,
        cash_dollars
        + signed_open_quantity
        * case when last_mark_at >= last_event_at then last_mark_price else last_event_price end
        * multiplier as unrealized_pnl_dollars
    from positions
),

final as (
    select
        position_id as id,
        account_name,
        ticker,
        option_symbol,
        instrument_type,
        multiplier,
        open_quantity::numeric(38, 9) as quantity,
        entry_price::numeric(38, 9) as entry_price,
        opened_at as entry_time,
        execution_uuid,
        entry_features_json,
        entry_iv_rank::numeric(38, 9) as entry_iv_rank,
        entry_spread_pct::numeric(38, 9) as entry_spread_pct,
        ({{ percent_of('best_unrealized_pnl_dollars', 'entry_notional_dollars') }})::numeric(38, 9)
            as best_unrealized_pnl_pct,
        ({{ percent_of('worst_unrealized_pnl_dollars', 'entry_notional_dollars') }})::numeric(38, 9)
            as worst_unrealized_pnl_pct,
        best_unrealized_pnl_dollars::numeric(38, 9) as best_unrealized_pnl_dollars,
        worst_unrealized_pnl_dollars::numeric(38, 9) as worst_unrealized_pnl_dollars,
        last_mark_price::numeric(38, 9) as last_mark_price,
        strategy_type,
        side,
        case when exit_fill_count > 0 then 'reducing' else 'open' end as status,
        opening_order_id as alpaca_order_id,
        last_mark_at,
        unrealized_pnl_dollars::numeric(38, 9) as unrealized_pnl_dollars,
        ({{ percent_of('unrealized_pnl_dollars', 'entry_notional_dollars') }})::numeric(38, 9) as unrealized_pnl_pct,
        is_opening_synthetic
    from valued
)

select * from final
