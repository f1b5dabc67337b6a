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
        case when legs.quantity_after > 0 then leg_days.lowest_price else leg_days.highest_price end as worst_price
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
    Where the MFE and MAE of each position lie: the largest and smallest P&L over its life,
    observed at every usable mark and at each fill's own price. One row per position, with
    the span of the winning day of a leg, and the price of a mark that won there; without a
    price the fill won that began the leg. Only the best and the worst price of a leg's day
    can be extremes.

    values: a relation of valued_leg_days().
#}
{% macro ranked_extremes(values) %}
with leg_days as (
    select * from {{ values }}
),

best as (
    select distinct on (position_id)
        position_id,
        symbol_id,
        leg_started_at as best_leg_started_at,
        first_mark_at as best_observed_from,
        last_mark_at as best_observed_until,
        greatest(pnl_at_fill, pnl_at_best) as best_pnl,
        case when pnl_at_fill >= pnl_at_best then null else best_price end as best_price
    from leg_days
    order by position_id asc, greatest(pnl_at_fill, pnl_at_best) desc nulls last, leg_number asc, observed_date asc
),

worst as (
    select distinct on (position_id)
        position_id,
        leg_started_at as worst_leg_started_at,
        first_mark_at as worst_observed_from,
        last_mark_at as worst_observed_until,
        least(pnl_at_fill, pnl_at_worst) as worst_pnl,
        case when pnl_at_fill <= pnl_at_worst then null else worst_price end as worst_price
    from leg_days
    order by position_id asc, least(pnl_at_fill, pnl_at_worst) asc nulls last, leg_number asc, observed_date asc
),

counted as (
    select
        position_id,
        coalesce(sum(mark_count), 0)::bigint as mark_count
    from leg_days
    group by position_id
)

select
    best.*,
    worst.worst_leg_started_at,
    worst.worst_observed_from,
    worst.worst_observed_until,
    worst.worst_pnl,
    worst.worst_price,
    counted.mark_count
from best
inner join worst on best.position_id = worst.position_id
inner join counted on best.position_id = counted.position_id
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


{#
    The first instant at which the mark of an extreme was observed, else that of the fill.
    ranked: alias of a relation of ranked_extremes(); which: best or worst.
#}
{% macro extreme_at(ranked, which, within='') -%}
    case
        when {{ ranked }}.{{ which }}_price is null then {{ ranked }}.{{ which }}_leg_started_at
        else (
            select min(marks.observed_at)
            from {{ ref('stg_alpaca__marks') }} as marks
            where
                marks.symbol_id = {{ ranked }}.symbol_id
                and marks.observed_at >= {{ ranked }}.{{ which }}_observed_from
                and marks.observed_at <= {{ ranked }}.{{ which }}_observed_until
                and marks.price = {{ ranked }}.{{ which }}_price
                {{ within }}
        )
    end
{%- endmacro %}
