{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        indexes=[{'columns': ['position_id', 'leg_number']}],
        post_hook='analyze {{ this }}'
    )
}}

with legs as (
    select * from {{ ref('int_legs__built') }}
    where not is_open_position and quantity_after <> 0
),

marks as (
    select * from {{ ref('stg_alpaca__marks') }}
),

-- The path of each leg needs every mark in order: the longest silence between two, and
-- the deepest fall from the best price so far (of a short: the highest rise). The array
-- carries the two prices of the deepest fall along, so that their difference can be
-- taken in numeric.
measured as (
    select
        legs.position_id,
        legs.leg_number,
        path.longest_gap,
        (path.deepest_fall)[2]::numeric - (path.deepest_fall)[3]::numeric as deepest_price_fall
    from legs
    cross join
        -- Not a CTE of its own (ST05): it is asked once for each leg.
        lateral ( -- noqa: ST05
            with steps as (
                select
                    marks.observed_at,
                    sign(legs.quantity_after)::double precision * marks.price as signed_price,
                    lag(marks.observed_at) over path_order as previous_at,
                    max(sign(legs.quantity_after)::double precision * marks.price) over path_order as best_so_far
                from marks
                where
                    marks.symbol_id = legs.symbol_id
                    and marks.observed_at >= legs.leg_started_at
                    and marks.observed_at < legs.leg_ended_at
                    and marks.price > 0
                -- Marks of one instant have no order: as if the P&L rose between them.
                window path_order as (
                    order by marks.observed_at, sign(legs.quantity_after)::double precision * marks.price
                    rows unbounded preceding
                )
            )

            select
                max(steps.observed_at - steps.previous_at) as longest_gap,
                max(array[steps.best_so_far - steps.signed_price, steps.best_so_far, steps.signed_price])
                    as deepest_fall
            from steps
        ) as path
    where path.deepest_fall is not null
)

select * from measured
