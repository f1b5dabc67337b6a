select
    recommendation_id, account_name, ticker, strategy_type, confidence,
    features_snapshot::text, sentiment_snapshot::text, created_at
from raw.dispatch_recommendations
where recommendation_id = any(%(ids)s);
