{#
    The lanes, (account, symbol), whose legs must be built again because of what was
    noted in raw.changed_facts, each with the last instant before its earliest change at
    which it was flat: what is older stands. One row per lane.

    A fact changes a lane where it is now and where it was when the legs were built, so
    both are asked. An execution happens no earlier than the first of its order.

    facts: rows of raw.changed_facts. legs: the legs as they were built last.
#}
{% macro touched_lanes(facts, legs) %}
-- What is sorted to be distinct begins with the column that tells rows apart: to compare
-- account names, of which there are few, took most of the time.
with facts as (
    select distinct
        reference,
        account_name,
        kind
    from {{ facts }}
),

-- Read more than once, and by its indexes each time.
fills as not materialized (
    select * from {{ ref('stg_alpaca__fills') }}
),

legs as not materialized (
    select * from {{ legs }}
),

-- With the order of the execution that a bust or correction names.
orders as (
    select
        reference as order_id,
        account_name
    from facts
    where kind = 'fill'

    union

    select
        named.order_id,
        named.account_name
    from facts
    inner join fills
        on facts.account_name = fills.account_name and facts.reference = fills.order_id
    left join {{ ref('stg_alpaca__events') }} as events on fills.supersedes_event_id = events.event_id
    inner join fills as named on coalesce(events.fill_event_id, fills.supersedes_event_id) = named.event_id
    where facts.kind = 'fill' and fills.supersedes_event_id is not null
),

order_starts as (
    select
        orders.order_id,
        orders.account_name,
        min(fills.executed_at) as started_at
    from orders
    inner join fills
        on orders.account_name = fills.account_name and orders.order_id = fills.order_id
    group by orders.order_id, orders.account_name
),

activities as (
    select
        facts.account_name,
        versions.symbol,
        coalesce(versions.occurred_at, {{ new_york_instant('versions.activity_date', '04:00') }}) as happened_at
    from facts
    inner join {{ source('alpaca', 'account_activities') }} as versions
        on facts.account_name = versions.account_name and facts.reference = versions.activity_id
    where
        facts.kind = 'activity'
        and versions.symbol is not null
        and versions.activity_type in ('OPEXP', 'OPASN', 'OPEXC', 'OPTRD', 'SPLIT')
),

changes as (
    select
        fills.account_name,
        fills.symbol,
        order_starts.started_at as changed_at
    from order_starts
    inner join fills
        on order_starts.account_name = fills.account_name and order_starts.order_id = fills.order_id

    union all

    select
        legs.account_name,
        legs.symbol,
        legs.leg_started_at as changed_at
    from orders
    inner join legs
        on orders.account_name = legs.account_name and orders.order_id = legs.order_id

    union all

    select
        account_name,
        symbol,
        happened_at as changed_at
    from activities

    union all

    select
        account_name,
        reference as symbol,
        '-infinity'::timestamptz as changed_at
    from facts
    where kind = 'lane'

    union all

    select
        legs.account_name,
        legs.symbol,
        '-infinity'::timestamptz as changed_at
    from facts
    inner join legs on facts.reference = legs.symbol
    where facts.kind = 'symbol'
),

earliest as (
    select
        account_name,
        symbol,
        min(changed_at) as changed_at
    from changes
    group by account_name, symbol
)

select
    earliest.account_name,
    earliest.symbol,
    coalesce(flat_point.happened_at, '-infinity'::timestamptz) as flat_until_at
from earliest
left join lateral (
    select legs.leg_started_at as happened_at
    from legs
    where
        legs.account_name = earliest.account_name
        and legs.symbol = earliest.symbol
        and legs.leg_started_at < earliest.changed_at
        and legs.is_flat_point
    order by legs.leg_started_at desc
    limit 1
) as flat_point on true
{% endmacro %}
