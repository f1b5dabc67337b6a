-- Positions that the dispatcher recommended, and those of them that have its features.
select
    coalesce(sum(recommended_count), 0)::bigint as recommended,
    coalesce(sum(featured_count), 0)::bigint as featured
from analytics.feature_coverage;
