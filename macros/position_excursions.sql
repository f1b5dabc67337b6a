{#
    MFE and MAE of each position, in dollars, with their first instants: the largest and
    smallest P&L over its life, where P&L = multiplier x (cash so far + open quantity x
    price), observed at every usable mark and at each fill's own price.

    Only the best and the worst price of a leg can be extremes. They are reduced as
    doubles and cast to numeric before any arithmetic, which is exact; the instant is
    looked up in the winning leg alone.

    legs, marks: relations of the columns of int_legs__built and of leg_marks().
#}
{% macro position_excursions(legs, marks) %}
with legs as (
    select * from {{ legs }}
),

leg_marks as (
    select * from {{ marks }}
),

valued as (
    select
        legs.position_id,
        legs.leg_number,
        legs.symbol_id,
        legs.leg_started_at,
        legs.leg_ended_at,
        {{ pnl_at_fill('legs') }} as pnl_at_fill,
        case when legs.quantity_after > 0 then leg_marks.highest_price else leg_marks.lowest_price end as best_price,
        case when legs.quantity_after > 0 then leg_marks.lowest_price else leg_marks.highest_price end as worst_price,
        legs.cash_after,
        legs.quantity_after,
        legs.multiplier,
        leg_marks.mark_count
    from legs
    left join leg_marks
        on legs.position_id = leg_marks.position_id and legs.leg_number = leg_marks.leg_number
),

extremes as (
    select
        *,
        multiplier * (cash_after + quantity_after * best_price::numeric) as pnl_at_best,
        multiplier * (cash_after + quantity_after * worst_price::numeric) as pnl_at_worst
    from valued
),

ranked as (
    select
        *,
        greatest(pnl_at_fill, pnl_at_best) as best_pnl,
        least(pnl_at_fill, pnl_at_worst) as worst_pnl,
        row_number() over (
            partition by position_id
            order by greatest(pnl_at_fill, pnl_at_best) desc nulls last, leg_number asc
        ) as best_rank,
        row_number() over (
            partition by position_id
            order by least(pnl_at_fill, pnl_at_worst) asc nulls last, leg_number asc
        ) as worst_rank
    from extremes
),

best as (
    select
        ranked.position_id,
        ranked.best_pnl,
        case
            when ranked.pnl_at_best is null or ranked.pnl_at_fill >= ranked.pnl_at_best then ranked.leg_started_at
            else {{ first_mark_at('ranked', 'ranked.best_price') }}
        end as best_at
    from ranked
    where ranked.best_rank = 1
),

worst as (
    select
        ranked.position_id,
        ranked.worst_pnl,
        case
            when ranked.pnl_at_worst is null or ranked.pnl_at_fill <= ranked.pnl_at_worst then ranked.leg_started_at
            else {{ first_mark_at('ranked', 'ranked.worst_price') }}
        end as worst_at
    from ranked
    where ranked.worst_rank = 1
),

counted as (
    select
        position_id,
        coalesce(sum(mark_count), 0)::bigint as mark_count
    from extremes
    group by position_id
)

select
    counted.position_id,
    best.best_pnl as best_unrealized_pnl_dollars,
    best.best_at as best_unrealized_at,
    worst.worst_pnl as worst_unrealized_pnl_dollars,
    worst.worst_at as worst_unrealized_at,
    counted.mark_count
from counted
inner join best on counted.position_id = best.position_id
inner join worst on counted.position_id = worst.position_id
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


{# The first instant within a leg at which its symbol was marked at a price. #}
{% macro first_mark_at(leg, price) -%}
    (
        select min(marks.observed_at)
        from {{ ref('stg_alpaca__marks') }} as marks
        where
            marks.symbol_id = {{ leg }}.symbol_id
            and marks.observed_at >= {{ leg }}.leg_started_at
            and marks.observed_at < {{ leg }}.leg_ended_at
            and marks.price = {{ price }}
    )
{%- endmacro %}
