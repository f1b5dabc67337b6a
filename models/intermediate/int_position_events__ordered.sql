with executions as (
    select * from {{ ref('int_executions__resolved') }}
),

broker_events as (
    select * from {{ ref('int_broker_events__interpreted') }}
),

openings as (
    select * from {{ ref('stg_alpaca__openings') }}
),

-- Brokers report a later execution of an order with an earlier time: an execution
-- happens at the latest time of its order up to it.
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
        max(executed_at) over (
            partition by account_name, order_id
            order by cumulative_quantity, event_id
        ) as happened_at,
        received_at
    from executions
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
    select * from broker_events
    union all
    select * from opening_events
),

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
    from unioned
)

select * from ordered
