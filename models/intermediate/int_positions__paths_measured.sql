with positions as (
    select * from {{ ref('int_positions__derived') }}
),

legs as (
    select legs.*
    from positions
    inner join {{ ref('int_legs__built') }} as legs on positions.position_id = legs.position_id
),

leg_days as (
    select * from {{ ref('int_leg_days__reduced') }}
),

leg_day_paths as (
    select * from {{ ref('int_leg_day_paths__measured') }}
),

valued as (
    {{ valued_leg_days('legs', 'leg_days') }}
),

-- The fill that began a leg is observed before the marks of its first day.
observed as (
    select
        valued.position_id,
        valued.leg_number,
        valued.observed_date,
        valued.leg_started_at,
        valued.first_mark_at,
        valued.last_mark_at,
        valued.pnl_at_best,
        valued.pnl_at_worst,
        valued.quantity_after = 0 as is_last,
        case
            when row_number() over (
                partition by valued.position_id, valued.leg_number order by valued.observed_date
            ) = 1 then valued.pnl_at_fill
        end as pnl_at_fill,
        leg_day_paths.longest_gap,
        valued.multiplier * abs(valued.quantity_after) * leg_day_paths.deepest_price_fall as fall_within_day
    from valued
    left join leg_day_paths
        on valued.position_id = leg_day_paths.position_id
        and valued.leg_number = leg_day_paths.leg_number
        and valued.observed_date = leg_day_paths.observed_date
),

-- The running maximum starts at 0, before the first observation.
with_history as (
    select
        *,
        greatest(
            0,
            max(greatest(pnl_at_fill, pnl_at_best)) over earlier_days
        ) as best_pnl_before,
        coalesce(
            max(last_mark_at) over earlier_days,
            first_value(leg_started_at) over (partition by position_id order by leg_number, observed_date)
        ) as silent_since
    from observed
    window earlier_days as (
        partition by position_id order by leg_number, observed_date
        rows between unbounded preceding and 1 preceding
    )
),

measured as (
    select
        position_id,
        max(
            greatest(
                best_pnl_before - pnl_at_fill,
                greatest(best_pnl_before, pnl_at_fill) - pnl_at_worst,
                fall_within_day,
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
