{#
    The executions that count: busts taken out, corrections applied. One row per
    execution, of every lane or, with `lanes`, of the orders that have a fill in one of
    them after it was last flat (a relation of the columns of int_lanes__touched).
#}
{% macro resolved_executions(lanes=none) %}
with
{% if lanes -%}
orders as (
    select distinct
        later.account_name,
        later.order_id
    from {{ lanes }} as lanes
    cross join lateral (
        select
            fills.account_name,
            fills.order_id
        from {{ ref('stg_alpaca__fills') }} as fills
        where
            fills.account_name = lanes.account_name
            and fills.symbol = lanes.symbol
            and fills.executed_at > lanes.flat_until_at
        -- One lane after the other, by the index: see legs_since_flat.
        offset 0
    ) as later
),

fills as not materialized (
    select found.*
    from orders
    cross join lateral (
        select * from {{ ref('stg_alpaca__fills') }} as fills
        where fills.account_name = orders.account_name and fills.order_id = orders.order_id
        offset 0
    ) as found
),
{%- else -%}
fills as not materialized (
    select * from {{ ref('stg_alpaca__fills') }}
),
{%- endif %}

last_words as (
    {{ last_words() }}
),

-- The execution keeps its id, order, time and place; only what the correction restates
-- changes. So a position keeps its id when a fill of it is corrected.
executed as (
    select
        fills.event_id,
        fills.account_name,
        fills.order_id,
        fills.client_order_id,
        fills.execution_id,
        coalesce(last_words.symbol, fills.symbol) as symbol,
        coalesce(last_words.signed_quantity, fills.signed_quantity) as signed_quantity,
        coalesce(last_words.price, fills.price) as price,
        fills.cumulative_quantity,
        fills.executed_at,
        fills.received_at
    from fills
    left join last_words
        on fills.event_id = last_words.root_event_id and last_words.newness = 1
    where
        fills.kind = 'fill'
        -- Of "kind <> 'bust'" the planner thinks that it leaves one row.
        and last_words.is_bust is not true
),

-- A correction whose original was missed in a gap stands for it until it is found.
orphaned_corrections as (
    select
        last_words.root_event_id as event_id,
        last_words.account_name,
        last_words.order_id,
        last_words.client_order_id,
        last_words.execution_id,
        last_words.symbol,
        last_words.signed_quantity,
        last_words.price,
        last_words.cumulative_quantity,
        last_words.executed_at,
        last_words.received_at
    from last_words
    {%- if lanes %}
    inner join orders
        on last_words.account_name = orders.account_name and last_words.order_id = orders.order_id
    {%- endif %}
    left join {{ ref('stg_alpaca__fills') }} as originals on last_words.root_event_id = originals.event_id
    where
        last_words.newness = 1
        and last_words.kind = 'correct'
        and originals.event_id is null
),

unioned as (
    select * from executed
    union all
    select * from orphaned_corrections
)

select * from unioned
{% endmacro %}
