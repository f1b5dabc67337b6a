with open_legs as (
    select * from {{ ref('int_legs__built') }}
    where is_open_position
),

reduced_marks as (
    select * from {{ ref('int_open_leg_marks__reduced') }}
),

found as (
    {{ position_excursions('open_legs', 'reduced_marks') }}
)

select * from found
