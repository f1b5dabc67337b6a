{{ config(materialized='view') }}

with positions as (
    select * from {{ ref('int_positions__described') }}
    where is_open
),

excursions as (
    select * from {{ ref('int_open_positions__excursions_found') }}
),

marks as (
    select * from {{ ref('stg_alpaca__marks') }}
),

-- Null until a mark arrives: what was paid is no observation of what it is worth. A
-- price from before a split is one of another unit.
last_marks as (
    select
        positions.position_id,
        last_mark.price::numeric as last_mark_price,
        last_mark.observed_at as last_mark_at
    from positions
    cross join lateral (
        select
            marks.price,
            marks.observed_at
        from marks
        where
            marks.symbol_id = positions.symbol_id
            and marks.observed_at >= positions.unit_began_at
            and marks.price > 0
        order by marks.observed_at desc, marks.price desc
        limit 1
    ) as last_mark
),

joined as (
    select
        positions.*,
        excursions.best_unrealized_pnl_dollars,
        excursions.worst_unrealized_pnl_dollars,
        last_marks.last_mark_price,
        last_marks.last_mark_at,
        -- At the latest observation: a mark from before the last fill would value what was
        -- not held then, and could lie outside the extremes.
        positions.cash_dollars
        + positions.signed_open_quantity
        * case
            when last_marks.last_mark_at >= positions.last_event_at then last_marks.last_mark_price
            else positions.last_event_price
        end
        * positions.multiplier as unrealized_pnl_dollars
    from positions
    inner join excursions on positions.position_id = excursions.position_id
    left join last_marks on positions.position_id = last_marks.position_id
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
    from joined
)

select * from final
