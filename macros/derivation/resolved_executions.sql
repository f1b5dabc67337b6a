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

events as (
    select * from {{ ref('stg_alpaca__events') }}
),

-- A bust or correction names an execution by the id of one source; the fill may be
-- stored under the other's.
superseding as (
    select
        named.*,
        coalesce(events.fill_event_id, named.supersedes_event_id) as target_event_id
    from {{ ref('stg_alpaca__fills') }} as named
    left join events on named.supersedes_event_id = events.event_id
    where named.supersedes_event_id is not null
),

-- Corrections can be corrected: follow the names back to the execution at the root.
-- `recursive` costs nothing here, busts and corrections are rare.
rooted as (
    with recursive walk as (
        select
            superseding.event_id,
            superseding.target_event_id as root_event_id,
            1 as depth
        from superseding

        union all

        select
            walk.event_id,
            superseding.target_event_id as root_event_id,
            walk.depth + 1 as depth
        from walk
        inner join superseding on walk.root_event_id = superseding.event_id
        where walk.depth < 100
    )

    select distinct on (event_id)
        event_id,
        root_event_id,
        depth
    from walk
    order by event_id asc, depth desc
),

last_words as (
    select
        rooted.root_event_id,
        superseding.*,
        row_number() over (
            partition by rooted.root_event_id
            order by
                superseding.executed_at desc,
                rooted.depth desc,
                superseding.event_id desc
        ) as newness
    from rooted
    inner join superseding on rooted.event_id = superseding.event_id
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
        and coalesce(last_words.kind, 'fill') <> 'bust'
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
