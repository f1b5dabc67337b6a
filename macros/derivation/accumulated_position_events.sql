{#
    The open quantity before and after each event: one row per event of
    ordered_position_events(), which begins where its lanes are flat.
#}
{% macro accumulated_position_events(events) %}
with summed as (
    select
        *,
        sum(amount) over (
            partition by account_name, symbol order by event_number
        ) as running_sum
    from {{ events }}
),

-- A plain sum is right for nearly all lanes. Dust, splits and events that can only
-- close depend on what is open, which only a step by step reckoning knows.
lanes as (
    select
        account_name,
        symbol,
        bool_or(
            moves <> 'trade'
            or (running_sum <> 0 and abs(running_sum) < {{ var('dust_quantity') }})
        ) as needs_steps
    from summed
    group by account_name, symbol
),

summed_lanes as (
    select
        summed.*,
        summed.running_sum as quantity_after
    from summed
    inner join lanes
        on summed.account_name = lanes.account_name and summed.symbol = lanes.symbol
    where not lanes.needs_steps
),

stepped_lanes as (
    select
        summed.*,
        {{ open_quantity('summed.moves', 'summed.amount', 'summed.split_to') }} over (
            partition by summed.account_name, summed.symbol
            order by summed.event_number
        ) as quantity_after
    from summed
    inner join lanes
        on summed.account_name = lanes.account_name and summed.symbol = lanes.symbol
    where lanes.needs_steps
),

unioned as (
    select * from summed_lanes
    union all
    select * from stepped_lanes
),

accumulated as (
    select
        *,
        coalesce(
            lag(quantity_after) over (
                partition by account_name, symbol order by event_number
            ),
            0
        ) as quantity_before
    from unioned
)

select * from accumulated
{% endmacro %}
