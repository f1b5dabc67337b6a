-- Of the last 30 trading dates with recommended entries: how many entries there were,
-- how many carry their features, and the two dates between which they lie.
with dates as (
    select
        trading_date,
        sum(recommended_count) as recommended_count,
        sum(featured_count) as featured_count
    from analytics.feature_coverage
    where recommended_count > 0
    group by trading_date
    order by trading_date desc
    limit 30
)

select
    coalesce(sum(recommended_count), 0)::bigint as recommended_count,
    coalesce(sum(featured_count), 0)::bigint as featured_count,
    min(trading_date)::text as first_date,
    max(trading_date)::text as last_date
from dates
