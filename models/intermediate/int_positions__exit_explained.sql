with positions as (
    select * from {{ ref('int_positions__derived') }}
),

dispatched as (
    select * from {{ ref('int_orders__dispatched') }}
    where exit_reason is not null
),

orders as (
    select * from {{ ref('stg_alpaca__orders') }}
),

instruments as (
    select * from {{ ref('stg_alpaca__instruments') }}
),

activities as (
    select * from {{ ref('stg_alpaca__account_activities') }}
),

-- Written as the bots write it, or folded: both are found.
aliases as (
    select
        {{ folded('written.alias') }} as folded_alias,
        min(written.label) as meant_label
    from {{ ref('exit_reason_aliases') }} as written
    group by {{ folded('written.alias') }}
),

labels as (
    select * from {{ ref('exit_reasons') }}
),

said as (
    select distinct on (positions.position_id)
        positions.position_id,
        dispatched.exit_reason,
        {{ folded('dispatched.exit_reason') }} as folded_reason
    from positions
    inner join dispatched
        on positions.account_name = dispatched.account_name
        and positions.last_order_id = dispatched.order_id
    order by
        positions.position_id,
        dispatched.match_rank,
        case dispatched.intent when 'exit' then 1 else 2 end,
        dispatched.created_at,
        dispatched.execution_uuid
),

-- A text is a label itself, or an alias of one, or unknown: never a guess.
dispatch_reasons as (
    select
        said.position_id,
        said.exit_reason as exit_reason_raw,
        coalesce(labels.label, aliases.meant_label, 'unknown') as exit_reason
    from said
    left join labels on said.folded_reason = labels.label
    left join aliases on said.folded_reason = aliases.folded_alias
),

-- Of an OCO the parent itself is the take-profit; of a bracket the parent is the entry,
-- which is known by its legs.
order_reasons as (
    select
        positions.position_id,
        coalesce(nullif(orders.order_class, 'simple') || ' ', '') || orders.order_type as exit_reason_raw,
        case
            when orders.order_type = 'trailing_stop' then 'trail'
            when orders.order_type in ('stop', 'stop_limit') then 'sl'
            when orders.order_type = 'limit' and orders.order_class = 'oco' then 'tp'
            when orders.order_type = 'limit' and orders.order_class = 'bracket' and not orders.has_legs then 'tp'
        end as exit_reason
    from positions
    inner join orders
        on positions.account_name = orders.account_name
        and positions.last_order_id = orders.order_id
),

-- Stock that an option's exercise or assignment took away or bought back: the option's
-- row of the same day tells which of the two it was.
option_endings as (
    select
        positions.position_id,
        min(case activities.activity_type when 'OPASN' then 'assigned' else 'exercised' end) as exit_reason
    from positions
    inner join instruments on positions.symbol = instruments.ticker
    inner join activities
        on positions.account_name = activities.account_name
        and instruments.symbol = activities.symbol
        and {{ trading_date('positions.last_event_at') }} = activities.activity_date
    where positions.last_event_type = 'OPTRD' and activities.activity_type in ('OPASN', 'OPEXC')
    group by positions.position_id
),

broker_reasons as (
    select
        positions.position_id,
        positions.last_event_type as exit_reason_raw,
        case positions.last_event_type
            when 'OPEXP' then 'expired'
            when 'OPASN' then 'assigned'
            when 'OPEXC' then 'exercised'
            when 'SPLIT' then 'corporate_action'
            when 'OPTRD' then option_endings.exit_reason
        end as exit_reason
    from positions
    left join option_endings on positions.position_id = option_endings.position_id
    where positions.last_event_type <> 'FILL'
),

explained as (
    select
        positions.position_id,
        coalesce(
            dispatch_reasons.exit_reason,
            order_reasons.exit_reason,
            broker_reasons.exit_reason,
            'unknown'
        ) as exit_reason,
        case
            when dispatch_reasons.exit_reason is not null then dispatch_reasons.exit_reason_raw
            when order_reasons.exit_reason is not null then order_reasons.exit_reason_raw
            when broker_reasons.exit_reason is not null then broker_reasons.exit_reason_raw
        end as exit_reason_raw,
        case
            when dispatch_reasons.exit_reason is not null then 'dispatch'
            when order_reasons.exit_reason is not null then 'order_type'
            when broker_reasons.exit_reason is not null then 'broker_event'
            else 'none'
        end as exit_reason_source
    from positions
    left join dispatch_reasons on positions.position_id = dispatch_reasons.position_id
    left join order_reasons on positions.position_id = order_reasons.position_id
    left join broker_reasons on positions.position_id = broker_reasons.position_id
)

select * from explained
