with executions as (
    select * from {{ ref('int_executions__resolved') }}
),

broker_events as (
    select * from {{ ref('int_broker_events__interpreted') }}
),

ordered as (
    {{ ordered_position_events('executions', 'broker_events') }}
)

select * from ordered
