-- What no position can be: a profit beyond its best moment, a long that lost more than
-- all, an extreme outside its life.
with checked as (
    select
        id,
        worst_unrealized_pnl_dollars <= least(0, pnl_dollars)
        and best_unrealized_pnl_dollars >= greatest(0, pnl_dollars)
        and (side <> 'long' or coalesce(worst_unrealized_pnl_pct, 0) >= -100)
        and (side <> 'short' or coalesce(best_unrealized_pnl_pct, 0) <= 100)
        and entry_time <= exit_time
        and coalesce(best_unrealized_at, entry_time) between entry_time and exit_time
        and coalesce(worst_unrealized_at, entry_time) between entry_time and exit_time as is_possible
    from analytics.position_history
)

select
    count(*) as positions,
    count(*) filter (where is_possible is not true) as impossible,
    min(id::text) filter (where is_possible is not true) as example
from checked;
