with unclaimed as (
    {{ touched_lanes(
        "(select * from " ~ source('alpaca', 'changed_facts') ~ " where not is_claimed) as unclaimed",
        ref('int_legs__built')
    ) }}
)

select * from unclaimed
