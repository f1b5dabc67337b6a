{#
    Positions to be derived again because a new fee or dividend belongs to them, or an
    option's ending explains their exit; and, where lanes are built again, those that may
    lose a fee to a trading date that came in between. legs, lanes: relations of the
    columns of int_legs__built and int_lanes__touched.
#}
{% macro positions_of_changed_activities(legs, lanes) %}
with facts as (
    select * from {{ source('alpaca', 'changed_facts') }}
    where is_claimed and kind = 'activity'
),

legs as not materialized (
    select * from {{ legs }}
),

traded_legs as not materialized (
    {{ charged_legs(legs) }}
),

-- Every version: what an older one was allocated to loses it.
activities as (
    select
        versions.account_name,
        versions.symbol,
        versions.activity_type,
        versions.activity_date,
        coalesce(versions.occurred_at, {{ new_york_instant('versions.activity_date', '16:00') }}) as happened_at
    from facts
    inner join {{ source('alpaca', 'account_activities') }} as versions
        on facts.account_name = versions.account_name and facts.reference = versions.activity_id
    where versions.symbol is not null
),

-- A fee goes to the last trading date before the end of its own; so does what was
-- charged after the instant until which a lane stands.
charged_until as (
    select
        account_name,
        symbol,
        {{ new_york_instant('activity_date + 1', '00:00') }} as charged_until_at
    from activities
    where activity_type in ('FEE', 'CFEE')

    union

    select
        lanes.account_name,
        lanes.symbol,
        lanes.flat_until_at + interval '1 microsecond' as charged_until_at
    from {{ lanes }} as lanes
    where
        lanes.flat_until_at > '-infinity'
        and exists (
            select 1 from {{ ref('stg_alpaca__account_activities') }} as fees
            where
                fees.account_name = lanes.account_name
                and fees.symbol = lanes.symbol
                and fees.activity_type in ('FEE', 'CFEE')
        )
),

charged_dates as (
    select
        charged_until.account_name,
        charged_until.symbol,
        {{ trading_date('last_trade.leg_started_at') }} as trading_date
    from charged_until
    cross join lateral (
        {{ last_trade_before('traded_legs', 'charged_until', 'charged_until.charged_until_at') }}
    ) as last_trade
)

select traded_legs.position_id
from charged_dates
inner join traded_legs
    on charged_dates.account_name = traded_legs.account_name
    and charged_dates.symbol = traded_legs.symbol
    and {{ is_on_trading_date('traded_legs.leg_started_at', 'charged_dates.trading_date') }}

union all

select legs.position_id
from activities
inner join legs
    on activities.account_name = legs.account_name
    and activities.symbol = legs.symbol
    and activities.happened_at >= legs.leg_started_at
    and activities.happened_at < legs.leg_ended_at
where activities.activity_type like 'DIV%'

union all

select legs.position_id
from activities
inner join {{ ref('stg_alpaca__instruments') }} as instruments on activities.symbol = instruments.symbol
inner join legs
    on activities.account_name = legs.account_name
    and instruments.ticker = legs.symbol
    and {{ is_on_trading_date('legs.leg_started_at', 'activities.activity_date') }}
where activities.activity_type in ('OPASN', 'OPEXC') and legs.event_type = 'OPTRD'
{% endmacro %}
