with open_legs as (
    select * from {{ ref('int_legs__built') }}
    where is_open_position
),

reduced as (
    {{ leg_marks('open_legs') }}
)

select * from reduced
