{#
    A table, so that who asks for the open positions reads one row a leg, and not one for
    each of its days: only what came since the build is asked of the marks. Never dropped, by
    --full-refresh either: each build makes all rows, and with the table its views would go.
#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        full_refresh=false,
        post_hook=['analyze {{ this }}', '{{ saw_changes(this.name) }}'],
        meta={'follows_changes': true, 'is_made_whole': true}
    )
}}

with legs as (
    select * from {{ ref('int_legs__built') }}
    where is_open_position and quantity_after <> 0
),

reduced as materialized (
    select
        legs.position_id,
        legs.leg_number,
        legs.symbol_id,
        max(leg_days.highest_price) as highest_price,
        min(leg_days.lowest_price) as lowest_price,
        max(leg_days.last_mark_at) as last_mark_at
    from legs
    inner join {{ ref('int_leg_days__reduced') }} as leg_days
        on legs.position_id = leg_days.position_id and legs.leg_number = leg_days.leg_number
    group by legs.position_id, legs.leg_number, legs.symbol_id
),

priced as (
    {{ priced_instants('reduced') }}
),

joined as (
    select
        reduced.position_id,
        reduced.leg_number,
        reduced.highest_price,
        reduced.lowest_price,
        reduced.last_mark_at,
        priced.last_mark_price
    from reduced
    left join priced
        on reduced.position_id = priced.position_id and reduced.leg_number = priced.leg_number
)

select * from joined
