-- Each fill, and each synthetic opening, is part of one position. One that crosses zero is cut in two by design: part
-- 1 ends at 0 in one position, part 2 begins at 0 in the next, together the whole fill.
-- Why: a fill counted twice makes money out of nothing.
-- A returned row is a fill that is in more than one position without crossing zero, or
-- twice in one.
with legs as not materialized (
    {{ legs_to_check() }}
),

fills as not materialized (
    select * from legs
    where event_type in ('FILL', 'OPENING')
),

-- Nearly all are in one: what follows need not look at them.
repeated as (
    select event_id
    from fills
    group by event_id
    having count(*) > 1
),

counted as (
    select
        fills.event_id,
        count(*) as leg_count,
        count(distinct fills.part) as part_count,
        count(distinct fills.position_id) as position_count,
        bool_and(
            case fills.part when 1 then fills.quantity_after = 0 else fills.quantity_after = fills.signed_quantity end
        ) as is_cut_at_zero
    from repeated
    inner join fills on repeated.event_id = fills.event_id
    group by fills.event_id
)

select * from counted
where not (leg_count = 2 and part_count = 2 and position_count = 2 and is_cut_at_zero)
