with lanes as (
    select * from {{ ref('int_lanes__pending') }}
),

rebuilt as (
    {{ rebuilt_legs('lanes') }}
),

-- Of lanes in which nothing happened since the last build, what it built.
standing as (
    select legs.*
    from {{ ref('int_legs__built') }} as legs
    where
        legs.is_open_position
        and not exists (
            select 1 from lanes
            where
                lanes.account_name = legs.account_name
                and lanes.symbol = legs.symbol
                and lanes.flat_until_at < legs.leg_started_at
        )
),

unioned as (
    select
        *,
        false as is_rebuilt
    from standing

    union all

    select
        *,
        true as is_rebuilt
    from rebuilt
    where is_open_position
)

select * from unioned
