{#
    What only the order of its marks tells of each day of a leg of a closed position: the
    longest silence between two, and the deepest fall from the best price so far (of a
    short: the highest rise). The array carries the two prices of the deepest fall along,
    so that their difference can be taken in numeric.

    leg_days: a relation of the columns of int_leg_days__touched.
    day: the UTC day that is asked for, see each_day().
#}
{% macro leg_paths(leg_days, day=none) %}
select
    leg_days.position_id,
    leg_days.leg_number,
    leg_days.observed_date,
    path.longest_gap,
    (path.deepest_fall)[2]::numeric - (path.deepest_fall)[3]::numeric as deepest_price_fall
from {{ leg_days }} as leg_days
cross join
    -- Not a CTE of its own (ST05): it is asked once for each day of a leg.
    lateral ( -- noqa: ST05
        -- Not pulled up (offset 0): the sign would be worked out three times for each mark.
        with signed_marks as (
            select
                marks.observed_at,
                case when leg_days.quantity_after > 0 then marks.price else -marks.price end as signed_price
            from {{ ref('stg_alpaca__marks') }} as marks
            where
                {{ is_mark_of_leg_day(day) }}
            offset 0
        ),

        -- Marks of one instant have no order: as if the P&L rose between them.
        steps as (
            select
                observed_at,
                signed_price,
                lag(observed_at) over path_order as previous_at,
                max(signed_price) over path_order as best_so_far
            from signed_marks
            window path_order as (
                order by observed_at, signed_price
                rows unbounded preceding
            )
        )

        select
            max(steps.observed_at - steps.previous_at) as longest_gap,
            max(array[steps.best_so_far - steps.signed_price, steps.best_so_far, steps.signed_price])
                as deepest_fall
        from steps
    ) as path
where
    path.deepest_fall is not null
    and not leg_days.is_open_position
    {% if day %}and leg_days.observed_date = {{ date_literal(day) }}{% endif %}
{% endmacro %}
