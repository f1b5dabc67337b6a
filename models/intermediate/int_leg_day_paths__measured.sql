{{
    config(
        materialized='incremental',
        incremental_strategy='replace_leg_days',
        indexes=[{'columns': ['position_id', 'leg_number', 'observed_date']}],
        post_hook=['{{ analyze_anew(this) }}', '{{ saw_changes(this.name) }}'],
        meta={'follows_changes': true}
    )
}}
{{ require_full_build() }}

{% set within = marks_within(ref('int_leg_days__touched'), 'observed_from', 'observed_until') -%}

-- depends_on: {{ ref('int_positions__replaced') }}
with leg_days as (
    select * from {{ ref('int_leg_days__touched') }}
    where not is_open_position
),

marks as (
    select * from {{ ref('stg_alpaca__marks') }}
),

-- The path of each day of a leg needs every mark in order: the longest silence between
-- two, and the deepest fall from the best price so far (of a short: the highest rise).
-- The array carries the two prices of the deepest fall along, so that their difference
-- can be taken in numeric.
measured as (
    select
        leg_days.position_id,
        leg_days.leg_number,
        leg_days.observed_date,
        path.longest_gap,
        (path.deepest_fall)[2]::numeric - (path.deepest_fall)[3]::numeric as deepest_price_fall
    from leg_days
    cross join
        -- Not a CTE of its own (ST05): it is asked once for each day of a leg.
        lateral ( -- noqa: ST05
            with steps as (
                select
                    marks.observed_at,
                    sign(leg_days.quantity_after)::double precision * marks.price as signed_price,
                    lag(marks.observed_at) over path_order as previous_at,
                    max(sign(leg_days.quantity_after)::double precision * marks.price) over path_order as best_so_far
                from marks
                where
                    marks.symbol_id = leg_days.symbol_id
                    and marks.observed_at >= leg_days.observed_from
                    and marks.observed_at < leg_days.observed_until
                    {{ within }}
                    and marks.price > 0
                -- Marks of one instant have no order: as if the P&L rose between them.
                window path_order as (
                    order by marks.observed_at, sign(leg_days.quantity_after)::double precision * marks.price
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
