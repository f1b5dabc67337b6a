{#
    What is known of a position from its opening on, for open and closed ones alike: one
    row per position. positions, dispatched, quoted: relations of the columns of
    derived_positions(), dispatched_positions() and quoted_positions().
#}
{% macro described_positions(positions, dispatched, quoted) %}
with instruments as (
    select * from {{ ref('stg_alpaca__instruments') }}
),

described as (
    select
        positions.*,
        instruments.ticker,
        instruments.option_symbol,
        instruments.instrument_type,
        instruments.strike_price,
        instruments.expiration_date,
        dispatched.execution_uuid,
        dispatched.recommendation_id,
        dispatched.recommended_at,
        dispatched.strategy_type,
        dispatched.max_hold_minutes,
        dispatched.stop_price,
        dispatched.entry_features_json,
        dispatched.entry_iv_rank,
        dispatched.implied_volatility,
        coalesce(quoted.entry_spread_pct, dispatched.features_spread_pct) as entry_spread_pct
    from {{ positions }} as positions
    inner join instruments on positions.symbol = instruments.symbol
    left join {{ dispatched }} as dispatched on positions.position_id = dispatched.position_id
    left join {{ quoted }} as quoted on positions.position_id = quoted.position_id
)

select * from described
{% endmacro %}
