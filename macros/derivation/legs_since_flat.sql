{#
    The legs of lanes after the instant until which these stand. By the index, lane by
    lane: the planner takes half of the lanes' rows for later than any instant and would
    read all legs, so `offset 0` keeps it from turning the look-ups into a join.

    lanes: a relation of the columns of int_lanes__touched; legs: of int_legs__built.
#}
{% macro legs_since_flat(lanes, legs) %}
select later.*
from {{ lanes }} as lanes
cross join lateral (
    select * from {{ legs }} as legs
    where
        legs.account_name = lanes.account_name
        and legs.symbol = lanes.symbol
        and legs.leg_started_at > lanes.flat_until_at
    offset 0
) as later
{% endmacro %}


{#
    The legs that were held on dates, one row per leg and date; by the index, symbol by
    symbol, for the same reason. dates: a relation with symbol_id and observed_date.
#}
{% macro legs_held_on(dates, legs) %}
select
    held.*,
    dates.observed_date
from {{ dates }} as dates
cross join lateral (
    select * from {{ legs }} as legs
    where
        legs.symbol_id = dates.symbol_id
        and legs.leg_ended_at > {{ utc_midnight('dates.observed_date') }}
        and legs.leg_started_at < {{ utc_midnight('dates.observed_date + 1') }}
    offset 0
) as held
{% endmacro %}
