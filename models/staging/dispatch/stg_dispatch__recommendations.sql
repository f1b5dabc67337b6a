with source as (
    select * from {{ dispatch_rows('dispatch_recommendations') }}
),

-- A JSON null says no more than none.
said as (
    select
        *,
        nullif(features_snapshot, 'null') as features
    from source
),

renamed as (
    select
        lower(recommendation_id) as recommendation_id,
        account_name,
        ticker,
        strategy_type,
        confidence,
        features as features_json,
        {{ json_number('features', 'iv_rank') }} as iv_rank,
        {{ json_number('features', 'implied_volatility') }} as implied_volatility,
        {{ json_number('features', 'spread_pct') }} as spread_pct,
        sentiment_snapshot as sentiment_json,
        created_at
    from said
)

select * from renamed
