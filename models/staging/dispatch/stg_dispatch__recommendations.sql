-- A JSON null says no more than none.
select
    lower(recommendation_id) as recommendation_id,
    account_name,
    ticker,
    strategy_type,
    confidence,
    nullif(features_snapshot, 'null') as features_json,
    {{ json_number("nullif(features_snapshot, 'null')", 'iv_rank') }} as iv_rank,
    {{ json_number("nullif(features_snapshot, 'null')", 'implied_volatility') }} as implied_volatility,
    {{ json_number("nullif(features_snapshot, 'null')", 'spread_pct') }} as spread_pct,
    sentiment_snapshot as sentiment_json,
    created_at
from {{ dispatch_rows('dispatch_recommendations') }}
