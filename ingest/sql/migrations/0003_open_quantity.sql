-- The open quantity after each event of one (account, symbol), for the lanes where a
-- plain running sum is not enough: dust, events that can only close, splits.
-- Used as a window aggregate by the position models.

-- moves: 'trade' adds amount; 'close' takes amount (a magnitude) away, at most what is
-- open; 'split' turns amount old units into split_to new ones. What is left under 1e-8
-- is dust: the position is flat.
create function raw.next_open_quantity(
    open_quantity numeric, moves text, amount numeric, split_to numeric
) returns numeric
language sql immutable parallel safe
return (
    with moved as (
        select case moves
            when 'trade' then open_quantity + amount
            when 'close' then sign(open_quantity) * greatest(abs(open_quantity) - amount, 0)
            when 'split' then round(open_quantity * split_to / amount, 9)
        end as quantity
    )

    select case when abs(moved.quantity) < 0.00000001 then 0 else moved.quantity end
    from moved
);

create aggregate raw.open_quantity(text, numeric, numeric) (
    sfunc = raw.next_open_quantity,
    stype = numeric,
    initcond = '0'
);

create aggregate raw.product(numeric) (
    sfunc = numeric_mul,
    stype = numeric,
    initcond = '1'
);
