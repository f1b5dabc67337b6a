-- The marks themselves once more, past all that was reduced from them: the best and the
-- worst P&L of the positions that closed last and of those that opened last, and the last
-- mark of these. Not where a day was archived, nor where marks wait for the next build.
with closed as (
    select
        id,
        best_unrealized_pnl_dollars,
        worst_unrealized_pnl_dollars
    from analytics.position_history as history
    where
        not exists (
            select 1 from raw.archived_marks as archived
            where
                archived.utc_day >= (history.entry_time at time zone 'UTC')::date
                and archived.utc_day <= (history.exit_time at time zone 'UTC')::date
        )
    order by exit_time desc, id asc
    limit %(sample)s
),

opened as materialized (
    select
        id,
        best_unrealized_pnl_dollars,
        worst_unrealized_pnl_dollars,
        last_mark_at
    from analytics.active_positions
    order by entry_time desc, id asc
    limit %(sample)s
),

said as (
    select *, null::timestamptz as last_mark_at, false as is_open from closed

    union all

    select *, true as is_open from opened
),

legs as (
    select
        legs.position_id, legs.symbol_id, legs.multiplier, legs.moves, legs.price,
        legs.cash_after, legs.quantity_after, legs.leg_started_at, legs.leg_ended_at
    from analytics_intermediate.int_legs__built as legs
    inner join closed on legs.position_id = closed.id

    union all

    select
        legs.position_id, legs.symbol_id, legs.multiplier, legs.moves, legs.price,
        legs.cash_after, legs.quantity_after, legs.leg_started_at, legs.leg_ended_at
    from analytics_intermediate.int_open_legs__current as legs
    inner join opened on legs.position_id = opened.id
),

waiting as (
    select distinct legs.position_id
    from legs
    inner join said on legs.position_id = said.id
    inner join raw.changed_marks as changed
        on legs.symbol_id = changed.symbol_id
        and legs.leg_ended_at > changed.hour_at
        and legs.leg_started_at < changed.hour_at + interval '1 hour'
    -- Open positions are derived when they are asked for.
    where not said.is_open
),

-- A last price from before a split is one of another unit, and not shown.
split as (
    select
        position_id,
        max(leg_started_at) as split_at
    from legs
    where moves = 'split'
    group by position_id
),

-- Every P&L that was observed: at the marks of a leg, and at the price of its fill.
observed as (
    select
        legs.position_id,
        price.marks,
        case when legs.leg_started_at >= coalesce(split.split_at, '-infinity') then marked.last_mark_at end as last_mark_at,
        legs.multiplier * (legs.cash_after + legs.quantity_after * price.of) as pnl_dollars
    from legs
    left join split on legs.position_id = split.position_id
    cross join lateral (
        select
            count(*) as marks,
            max(marks.price)::numeric as highest,
            min(marks.price)::numeric as lowest,
            max(marks.ts) as last_mark_at
        from raw.marks
        where
            marks.symbol_id = legs.symbol_id
            and marks.ts >= legs.leg_started_at
            and marks.ts < legs.leg_ended_at
            and marks.is_usable
    ) as marked
    cross join lateral (values (marked.highest, marked.marks), (marked.lowest, 0)) as price (of, marks)
    where legs.quantity_after <> 0

    union all

    select
        position_id,
        0 as marks,
        null as last_mark_at,
        multiplier * (cash_after + quantity_after * price) as pnl_dollars
    from legs
    where moves = 'trade' or quantity_after = 0
),

seen as (
    select
        position_id,
        sum(marks) as marks,
        max(last_mark_at) as last_mark_at,
        round(max(pnl_dollars), 9) as best_dollars,
        round(min(pnl_dollars), 9) as worst_dollars
    from observed
    group by position_id
),

compared as (
    select
        said.id,
        said.is_open,
        seen.marks,
        said.best_unrealized_pnl_dollars is not distinct from seen.best_dollars
        and said.worst_unrealized_pnl_dollars is not distinct from seen.worst_dollars
        and (not said.is_open or said.last_mark_at is not distinct from seen.last_mark_at) as is_equal
    from said
    left join seen on said.id = seen.position_id
    where said.id not in (select position_id from waiting)
)

select
    (select count(*) from analytics.position_history) as history,
    count(*) filter (where not is_open) as closed,
    count(*) filter (where is_open) as opened,
    coalesce(sum(marks), 0)::bigint as marks,
    count(*) filter (where not is_equal) as differing,
    min(id::text) filter (where not is_equal) as example
from compared;
