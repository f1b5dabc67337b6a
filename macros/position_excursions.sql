{#
    P&L of each position at the fill that began a leg, and at the best and worst mark of
    each day of the leg: multiplier x (cash so far + open quantity x price), in dollars.
    One row per leg and day with marks, or leg without.

    Marked prices were reduced as doubles, and are cast to numeric before any arithmetic:
    exact. legs, leg_days: relations of the columns of int_legs__built and
    int_leg_days__reduced.
#}
{% macro valued_leg_days(legs, leg_days) %}
with valued as (
    select
        legs.position_id,
        legs.leg_number,
        legs.symbol_id,
        legs.leg_started_at,
        legs.cash_after,
        legs.quantity_after,
        legs.multiplier,
        leg_days.observed_date,
        leg_days.mark_count,
        leg_days.first_mark_at,
        leg_days.last_mark_at,
        {{ pnl_at_fill('legs') }} as pnl_at_fill,
        case when legs.quantity_after > 0 then leg_days.highest_price else leg_days.lowest_price end as best_price,
        case when legs.quantity_after > 0 then leg_days.highest_at else leg_days.lowest_at end as best_at,
        case when legs.quantity_after > 0 then leg_days.lowest_price else leg_days.highest_price end as worst_price,
        case when legs.quantity_after > 0 then leg_days.lowest_at else leg_days.highest_at end as worst_at
    from {{ legs }} as legs
    left join {{ leg_days }} as leg_days
        on legs.position_id = leg_days.position_id and legs.leg_number = leg_days.leg_number
)

select
    *,
    multiplier * (cash_after + quantity_after * best_price::numeric) as pnl_at_best,
    multiplier * (cash_after + quantity_after * worst_price::numeric) as pnl_at_worst
from valued
{% endmacro %}


{#
    MFE and MAE of each position: the largest and smallest P&L over its life, observed at
    every usable mark and at each fill's own price, with the first instant of each: that of
    the mark, or of the fill where no mark reached further. One row per position. Only the
    best and the worst price of a leg's day can be extremes.

    The days of a position's legs follow each other in time, so the first of equal extremes
    is the earliest. To join the extremes back to the days took a sixth longer.
    values: a relation of valued_leg_days().
#}
{% macro position_extremes(values) %}
with observed as (
    select
        position_id,
        leg_number,
        observed_date,
        mark_count,
        greatest(pnl_at_fill, pnl_at_best) as best_pnl,
        case when pnl_at_best > pnl_at_fill or pnl_at_fill is null then best_at else leg_started_at end as best_at,
        least(pnl_at_fill, pnl_at_worst) as worst_pnl,
        case when pnl_at_worst < pnl_at_fill or pnl_at_fill is null then worst_at else leg_started_at end as worst_at
    -- Without offset 0 each of the comparisons would compute the P&L again.
    from (select * from {{ values }} offset 0) as valued
),

collected as (
    select
        position_id,
        max(best_pnl) as best_pnl,
        array_agg(best_pnl order by leg_number, observed_date) as best_pnls,
        array_agg(best_at order by leg_number, observed_date) as best_instants,
        min(worst_pnl) as worst_pnl,
        array_agg(worst_pnl order by leg_number, observed_date) as worst_pnls,
        array_agg(worst_at order by leg_number, observed_date) as worst_instants,
        coalesce(sum(mark_count), 0)::bigint as mark_count
    from observed
    group by position_id
)

select
    position_id,
    best_pnl as best_unrealized_pnl_dollars,
    best_instants[array_position(best_pnls, best_pnl)] as best_unrealized_at,
    worst_pnl as worst_unrealized_pnl_dollars,
    worst_instants[array_position(worst_pnls, worst_pnl)] as worst_unrealized_at,
    mark_count
from collected
{% endmacro %}


{#
    MFE and MAE of the closed positions that a build derives, or of a part of them: one row
    per position. part: see each_part().
#}
{% macro found_excursions(part=none) %}
with legs as (
    {{ legs_to_derive(part) }}
),

leg_days as (
    select * from {{ ref('int_leg_days__reduced') }}
    {% if part %}where {{ of_part('position_id', part) }}{% endif %}
),

valued as (
    {{ valued_leg_days('legs', 'leg_days') }}
),

found as (
    {{ position_extremes('valued') }}
)

select * from found
{% endmacro %}


{#
    P&L of a position at a fill's own price, null where the leg is no observation: a
    split has no price, and what an assignment closes at 0 says nothing of the price of
    the rest. Once flat, any leg gives the P&L.
#}
{% macro pnl_at_fill(leg) -%}
    case
        when {{ leg }}.moves = 'trade' or {{ leg }}.quantity_after = 0
            then {{ leg }}.multiplier * ({{ leg }}.cash_after + {{ leg }}.quantity_after * {{ leg }}.price)
    end
{%- endmacro %}
