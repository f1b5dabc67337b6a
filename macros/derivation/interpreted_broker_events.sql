{#
    The activities of the broker that move a position without a fill: one row per event,
    of every lane or of `lanes`.
#}
{% macro interpreted_broker_events(lanes=none) %}
with activities as (
    select activities.*
    from {{ ref('stg_alpaca__account_activities') }} as activities
    {%- if lanes %}
    inner join {{ lanes }} as lanes
        on activities.account_name = lanes.account_name and activities.symbol = lanes.symbol
    {%- endif %}
),

timed_activities as (
    select
        *,
        coalesce(
            occurred_at,
            case
                when activity_type = 'SPLIT' then {{ new_york_instant('activity_date', '04:00') }}
                else {{ new_york_instant('activity_date', '16:00') }}
            end
        ) as happened_at
    from activities
    where symbol is not null
),

-- The stock leg of an exercise or assignment is a fill at the strike. The option's own
-- leg, like an expiry, can only take away what is open: its quantity is a magnitude.
option_events as (
    select
        event_id,
        account_name,
        symbol,
        null::text as order_id,
        null::text as client_order_id,
        null::uuid as execution_id,
        activity_type as event_type,
        case activity_type when 'OPTRD' then 'trade' else 'close' end as moves,
        case activity_type when 'OPTRD' then quantity else abs(quantity) end as amount,
        null::numeric as split_to,
        case activity_type when 'OPTRD' then price else 0 end as price,
        null::numeric as cumulative_quantity,
        2 as same_instant_rank,
        happened_at,
        received_at
    from timed_activities
    where
        activity_type in ('OPEXP', 'OPASN', 'OPEXC', 'OPTRD')
        and quantity <> 0
        and (activity_type <> 'OPTRD' or price is not null)
),

-- A split comes as two rows, REMOVE and ADD. Which is which is told by the description,
-- else by the sign (a long holding is taken out as a negative quantity).
split_rows as (
    select
        *,
        case
            when description ilike 'REMOVE%' then true
            when description ilike 'ADD%' then false
            else quantity < 0
        end as is_removal
    from timed_activities
    where activity_type = 'SPLIT' and quantity <> 0
),

split_events as (
    select
        min(event_id) as event_id,
        account_name,
        symbol,
        null::text as order_id,
        null::text as client_order_id,
        null::uuid as execution_id,
        'SPLIT' as event_type,
        'split' as moves,
        sum(abs(quantity)) filter (where is_removal) as amount,
        sum(abs(quantity)) filter (where not is_removal) as split_to,
        null::numeric as price,
        null::numeric as cumulative_quantity,
        0 as same_instant_rank,
        happened_at,
        max(received_at) as received_at
    from split_rows
    group by account_name, symbol, happened_at
    having bool_or(is_removal) and bool_or(not is_removal)
),

unioned as (
    select * from option_events
    union all
    select * from split_events
)

select * from unioned
{% endmacro %}
