with source as (
    select * from {{ source('dispatch', 'dispatch_recommendations') }}
),

renamed as (
    select
        lower(recommendation_id) as recommendation_id,
        account_name,
        ticker,
        strategy_type,
        confidence,
        features_snapshot as features_json,
        {{ json_number('features_snapshot', 'iv_rank') }} as iv_rank,
        {{ json_number('features_snapshot', 'implied_volatility') }} as implied_volatility,
        {{ json_number('features_snapshot', 'spread_pct') }} as spread_pct,
        sentiment_snapshot as sentiment_json,
        created_at
    from source
)

select * from renamed
