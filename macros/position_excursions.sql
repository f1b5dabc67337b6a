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

    The legs of a position follow each other in time, so the first of equal extremes is the
    earliest. To sort by P&L instead took half as long again.
    values: a relation of valued_leg_days().
#}
{% macro position_extremes(values) %}
with extremes as (
    select
        position_id,
        max(greatest(pnl_at_fill, pnl_at_best)) as best_pnl,
        min(least(pnl_at_fill, pnl_at_worst)) as worst_pnl,
        coalesce(sum(mark_count), 0)::bigint as mark_count
    from {{ values }}
    group by position_id
)

select
    extremes.position_id,
    extremes.best_pnl as best_unrealized_pnl_dollars,
    min(
        case
            when leg_days.pnl_at_fill = extremes.best_pnl then leg_days.leg_started_at
            when leg_days.pnl_at_best = extremes.best_pnl then leg_days.best_at
        end
    ) as best_unrealized_at,
    extremes.worst_pnl as worst_unrealized_pnl_dollars,
    min(
        case
            when leg_days.pnl_at_fill = extremes.worst_pnl then leg_days.leg_started_at
            when leg_days.pnl_at_worst = extremes.worst_pnl then leg_days.worst_at
        end
    ) as worst_unrealized_at,
    extremes.mark_count
from extremes
inner join {{ values }} as leg_days on extremes.position_id = leg_days.position_id
group by
    extremes.position_id,
    extremes.best_pnl,
    extremes.worst_pnl,
    extremes.mark_count
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
