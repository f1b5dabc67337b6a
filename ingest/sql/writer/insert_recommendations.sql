insert into raw.dispatch_recommendations as stored (
    recommendation_id, account_name, ticker, strategy_type, confidence,
    features_snapshot, sentiment_snapshot, created_at
)
select
    recommendation_id, account_name, ticker, strategy_type, confidence,
    features_snapshot, sentiment_snapshot, created_at
from json_to_recordset(%(rows)s) as stage (
    recommendation_id text, account_name text, ticker text, strategy_type text,
    confidence numeric, features_snapshot jsonb, sentiment_snapshot jsonb,
    created_at timestamptz
)
on conflict (recommendation_id) do update
set
    account_name = coalesce(stored.account_name, excluded.account_name),
    ticker = coalesce(stored.ticker, excluded.ticker),
    strategy_type = coalesce(stored.strategy_type, excluded.strategy_type),
    confidence = coalesce(stored.confidence, excluded.confidence),
    features_snapshot = coalesce(stored.features_snapshot, excluded.features_snapshot),
    sentiment_snapshot = coalesce(stored.sentiment_snapshot, excluded.sentiment_snapshot),
    ingested_at = clock_timestamp();
