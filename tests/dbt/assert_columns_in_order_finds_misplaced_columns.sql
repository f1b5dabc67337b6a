-- The generic test columns_in_order must find swapped and missing columns, and leave
-- further ones alone. A returned row means that it does not.
with swapped as (
    {{ columns_out_of_order(["a", "b", "c"], ["a", "c", "b", "d"]) }}
),

missing as (
    {{ columns_out_of_order(["a", "b", "c"], ["a", "b"]) }}
),

in_order as (
    {{ columns_out_of_order(["a", "b"], ["a", "b", "c"]) }}
),

summed as (
    select
        (select string_agg(place::text, ', ' order by place) from swapped) as swapped_places,
        (select string_agg(place::text, ', ' order by place) from missing) as missing_places,
        (select string_agg(place::text, ', ' order by place) from in_order) as other_places
)

select * from summed
where
    swapped_places is distinct from '2, 3'
    or missing_places is distinct from '3'
    or other_places is not null
