-- Each recommendation behind an entry came with a features_snapshot.
-- Why a warning: the position is right, but nobody can learn what it was opened for.
-- A returned row is a trading date and account with recommendations that are missing or
-- came without features, and their number.
{{ config(severity='warn') }}

select
    trading_date,
    account_name,
    recommended_count,
    missing_snapshot_count
from {{ ref('feature_coverage') }}
where missing_snapshot_count > 0
