{#
    Every event that moves a position, numbered in its lane, (account, symbol): of all
    lanes or, with `lanes`, those after the instant until which nothing changed.
    Numbers then begin at 1 there, where the lane is flat.

    executions, broker_events: relations of the columns of the models of that name.
#}
{% macro ordered_position_events(executions, broker_events, lanes=none) %}
with openings as (
    select openings.*
    from {{ ref('stg_alpaca__openings') }} as openings
    {%- if lanes %}
    inner join {{ lanes }} as lanes
        on openings.account_name = lanes.account_name
        and openings.symbol = lanes.symbol
        -- It stands before all else: a lane that was flat later does not need it.
        and lanes.flat_until_at = '-infinity'
    {%- endif %}
),

fill_events as (
    select
        event_id,
        account_name,
        symbol,
        order_id,
        client_order_id,
        execution_id,
        'FILL' as event_type,
        'trade' as moves,
        signed_quantity as amount,
        null::numeric as split_to,
        price,
        cumulative_quantity,
        1 as same_instant_rank,
        {{ execution_happened_at() }} as happened_at,
        received_at
    from {{ executions }}
),

opening_events as (
    select
        event_id,
        account_name,
        symbol,
        null::text as order_id,
        null::text as client_order_id,
        null::uuid as execution_id,
        'OPENING' as event_type,
        'trade' as moves,
        signed_quantity as amount,
        null::numeric as split_to,
        price,
        null::numeric as cumulative_quantity,
        -1 as same_instant_rank,
        opened_at as happened_at,
        received_at
    from openings
),

unioned as (
    select * from fill_events
    union all
    select * from {{ broker_events }}
    union all
    select * from opening_events
),

{% if lanes -%}
events as (
    select unioned.*
    from unioned
    inner join {{ lanes }} as lanes
        on unioned.account_name = lanes.account_name
        and unioned.symbol = lanes.symbol
        and unioned.happened_at > lanes.flat_until_at
),
{%- else -%}
events as (
    select * from unioned
),
{%- endif %}

-- What was held before the first recorded event stands before it, whatever its time.
-- Otherwise time orders, never arrival: any order of delivery gives the same positions.
ordered as (
    select
        event_id,
        account_name,
        symbol,
        order_id,
        client_order_id,
        execution_id,
        event_type,
        moves,
        amount,
        split_to,
        price,
        cumulative_quantity,
        same_instant_rank,
        case event_type
            when 'OPENING' then min(happened_at) over (partition by account_name, symbol)
            else happened_at
        end as happened_at,
        received_at,
        row_number() over (
            partition by account_name, symbol
            order by
                case event_type when 'OPENING' then 1 else 2 end,
                happened_at,
                same_instant_rank,
                order_id,
                cumulative_quantity,
                event_id
        ) as event_number
    from events
)

select * from ordered
{% endmacro %}
