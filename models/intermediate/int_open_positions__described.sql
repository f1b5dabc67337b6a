{{ config(post_hook='{{ create_planned_once(this) }}') }}

-- depends_on: {{ ref('position_history_versions') }}
-- Asked while a build runs, it would derive all again that the build has yet to take off.
with
-- Once: it stands for a long chain of views.
legs as materialized (
    select * from {{ ref('int_open_legs__current') }}
),

stored_quotes as (
    select * from {{ ref('int_open_positions__quoted') }}
),

leg_marks as materialized (
    {{ marked_open_legs('legs') }}
),

derived as materialized (
    {{ derived_positions('legs') }}
),

dispatched_orders as materialized (
    {{ dispatched_orders('legs') }}
),

dispatched as materialized (
    {{ dispatched_positions('derived', 'dispatched_orders') }}
),

-- Unquoted: an entry that the last build did not know, or around which marks came since.
entries as materialized (
    select
        derived.*,
        stored_quotes.entry_spread_pct,
        stored_quotes.position_id is null
        or exists (
            select 1 from {{ source('alpaca', 'changed_marks') }} as changed
            where
                changed.symbol_id = derived.symbol_id
                and changed.hour_at <= derived.opened_at
                and changed.hour_at
                > derived.opened_at - interval '1 hour' - interval '{{ var("entry_quote_max_age_seconds") }} seconds'
        ) as is_unquoted
    from derived
    left join stored_quotes
        on derived.position_id = stored_quotes.position_id and derived.opened_at = stored_quotes.opened_at
),

unquoted as (
    select * from entries
    where is_unquoted
),

quoted_anew as (
    {{ quoted_positions('unquoted') }}
),

quoted as materialized (
    select
        position_id,
        entry_spread_pct
    from quoted_anew

    union all

    select
        position_id,
        entry_spread_pct
    from entries
    where not is_unquoted
),

positions as (
    {{ described_positions('derived', 'dispatched', 'quoted') }}
),

valued as materialized (
    {{ valued_leg_days('legs', 'leg_marks') }}
),

excursions as materialized (
    select
        position_id,
        max(greatest(pnl_at_fill, pnl_at_best)) as best_unrealized_pnl_dollars,
        min(least(pnl_at_fill, pnl_at_worst)) as worst_unrealized_pnl_dollars
    from valued
    group by position_id
),

-- Of the leg that was observed last. A price from before a split is one of another unit.
last_instants as materialized (
    select distinct on (derived.position_id)
        derived.position_id,
        legs.leg_number,
        derived.symbol_id,
        leg_marks.last_mark_at,
        leg_marks.last_mark_price
    from derived
    inner join legs
        on derived.position_id = legs.position_id and derived.unit_began_at <= legs.leg_started_at
    inner join leg_marks
        on legs.position_id = leg_marks.position_id and legs.leg_number = leg_marks.leg_number
    order by derived.position_id asc, leg_marks.last_mark_at desc
),

unpriced as (
    select * from last_instants
    where last_mark_price is null
),

priced as (
    {{ priced_instants('unpriced') }}
),

-- Null until a mark arrives: what was paid is no observation of what it is worth.
last_marks as materialized (
    select
        last_instants.position_id,
        last_instants.last_mark_at,
        coalesce(last_instants.last_mark_price, priced.last_mark_price) as last_mark_price
    from last_instants
    left join priced on last_instants.position_id = priced.position_id
    where coalesce(last_instants.last_mark_price, priced.last_mark_price) is not null
),

joined as (
    select
        positions.*,
        excursions.best_unrealized_pnl_dollars,
        excursions.worst_unrealized_pnl_dollars,
        last_marks.last_mark_price,
        last_marks.last_mark_at
    from positions
    inner join excursions on positions.position_id = excursions.position_id
    left join last_marks on positions.position_id = last_marks.position_id
)

select * from joined
