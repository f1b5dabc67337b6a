-- A drawdown needs its trades in order, which windows can give, at a sort and two windows
-- for each roll-up. Here it is one more aggregate beside the others: over
-- array_agg(net dollars order by exit).

-- The running sum begins at 0, and so does its maximum: a first loss is a fall. The
-- elements are not null.
create function raw.max_drawdown(gains numeric[]) returns numeric
language plpgsql immutable strict parallel safe as $$
declare
    gain numeric;
    equity numeric := 0;
    peak numeric := 0;
    deepest numeric := 0;
begin
    foreach gain in array gains loop
        equity := equity + gain;
        if equity > peak then
            peak := equity;
        elsif peak - equity > deepest then
            deepest := peak - equity;
        end if;
    end loop;
    return deepest;
end
$$;
