-- Marks of many spans at once: what the live positions read. The outermost instants stand
-- in the statement as constants, so that the planner looks at the days of these only; a
-- view over the same lateral would open every day that is stored.

create function raw.reduced_marks(
    symbol_ids integer [], from_instants timestamptz [], until_instants timestamptz []
) returns table (
    span_number bigint, highest_price double precision, lowest_price double precision, last_mark_at timestamptz
)
language plpgsql stable parallel safe as $$
begin
    return query execute format(
        $query$
        select spans.span_number, reduced.*
        from unnest($1, $2, $3) with ordinality as spans (symbol_id, from_at, until_at, span_number)
        cross join lateral (
            select max(marks.price) as highest, min(marks.price) as lowest, max(marks.ts) as last_at
            from raw.marks
            where
                marks.symbol_id = spans.symbol_id
                and marks.ts >= spans.from_at and marks.ts < spans.until_at
                and marks.ts >= %1$L and marks.ts < %2$L
                and marks.price > 0
        ) as reduced
        where reduced.highest is not null
        $query$,
        (select min(from_at) from unnest(from_instants) as from_at),
        (select max(until_at) from unnest(until_instants) as until_at)
    ) using symbol_ids, from_instants, until_instants;
end
$$;

create function raw.last_quotes(
    symbol_ids integer [], instants timestamptz [], max_age interval
) returns table (quote_number bigint, bid double precision, ask double precision)
language plpgsql stable parallel safe as $$
begin
    return query execute format(
        $query$
        select asked.quote_number, quote.bid, quote.ask
        from unnest($1, $2) with ordinality as asked (symbol_id, asked_at, quote_number)
        cross join lateral (
            select marks.bid, marks.ask
            from raw.marks
            where
                marks.symbol_id = asked.symbol_id
                and marks.ts <= asked.asked_at and marks.ts >= asked.asked_at - $3
                and marks.ts >= %1$L and marks.ts <= %2$L
                and marks.price > 0 and marks.bid is not null
            order by marks.ts desc, marks.price desc
            limit 1
        ) as quote
        $query$,
        (select min(instant) - max_age from unnest(instants) as instant),
        (select max(instant) from unnest(instants) as instant)
    ) using symbol_ids, instants, max_age;
end
$$;
