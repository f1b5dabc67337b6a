-- Not a table: it is asked again and again between two builds.
with pending as (
    {{ touched_lanes(source('alpaca', 'changed_facts'), ref('int_legs__built')) }}
)

select * from pending
