with legs as (
    select * from {{ ref('int_legs__built') }}
    where not is_open_position
),

leg_marks as (
    select * from {{ ref('int_leg_marks__reduced') }}
),

leg_paths as (
    select * from {{ ref('int_leg_paths__measured') }}
),

valued as (
    select
        legs.position_id,
        legs.leg_number,
        legs.leg_started_at,
        leg_marks.first_mark_at,
        leg_marks.last_mark_at,
        leg_paths.longest_gap,
        legs.quantity_after = 0 as is_last,
        {{ pnl_at_fill('legs') }} as pnl_at_fill,
        legs.multiplier * (
            legs.cash_after + legs.quantity_after
            * case when legs.quantity_after > 0 then leg_marks.highest_price else leg_marks.lowest_price end::numeric
        ) as best_marked_pnl,
        legs.multiplier * (
            legs.cash_after + legs.quantity_after
            * case when legs.quantity_after > 0 then leg_marks.lowest_price else leg_marks.highest_price end::numeric
        ) as worst_marked_pnl,
        legs.multiplier * abs(legs.quantity_after) * leg_paths.deepest_price_fall as fall_within_leg
    from legs
    left join leg_marks
        on legs.position_id = leg_marks.position_id and legs.leg_number = leg_marks.leg_number
    left join leg_paths
        on legs.position_id = leg_paths.position_id and legs.leg_number = leg_paths.leg_number
),

-- The running maximum starts at 0, before the first observation.
with_history as (
    select
        *,
        greatest(
            0,
            max(greatest(pnl_at_fill, best_marked_pnl)) over earlier_legs
        ) as best_pnl_before,
        coalesce(
            max(last_mark_at) over earlier_legs,
            first_value(leg_started_at) over (partition by position_id order by leg_number)
        ) as silent_since
    from valued
    window earlier_legs as (
        partition by position_id order by leg_number
        rows between unbounded preceding and 1 preceding
    )
),

measured as (
    select
        position_id,
        max(
            greatest(
                best_pnl_before - pnl_at_fill,
                greatest(best_pnl_before, pnl_at_fill) - worst_marked_pnl,
                fall_within_leg,
                0
            )
        ) as max_give_back_dollars,
        extract(
            epoch from max(
                greatest(
                    longest_gap,
                    first_mark_at - silent_since,
                    case when is_last then leg_started_at - silent_since end
                )
            )
        )::numeric as max_mark_gap_seconds
    from with_history
    group by position_id
)

select * from measured
