-- Positions that the dispatcher recommended, those of them that have its features, and
-- those whose recommendation came without.
select
    coalesce(sum(recommended_count), 0)::bigint as recommended,
    coalesce(sum(featured_count), 0)::bigint as featured,
    coalesce(sum(missing_snapshot_count), 0)::bigint as missing
from analytics.feature_coverage;
