with events as (
    select * from {{ ref('int_position_events__ordered') }}
),

accumulated as (
    {{ accumulated_position_events('events') }}
)

select * from accumulated
