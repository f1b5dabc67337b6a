-- Spans of one symbol overlap: what is open shares its marks with all that is open in the
-- same symbol. They are cut where any of them begins or ends, and each piece is read once,
-- so that the live positions read the marks of their symbols, not those of each position.

create or replace function raw.reduced_marks(
    symbol_ids integer [], from_instants timestamptz [], until_instants timestamptz []
) returns table (
    span_number bigint, highest_price double precision, lowest_price double precision, last_mark_at timestamptz
)
language plpgsql stable parallel safe as $$
begin
    return query execute format(
        $query$
        with spans as materialized (
            select * from unnest($1, $2, $3) with ordinality as spans (symbol_id, from_at, until_at, span_number)
            where from_at < until_at
        ),

        cuts as (
            select symbol_id, from_at as cut_at, 1 as begun from spans
            union all
            select symbol_id, until_at as cut_at, -1 as begun from spans
        ),

        pieces as (
            select
                symbol_id,
                cut_at as from_at,
                lead(cut_at) over (partition by symbol_id order by cut_at) as until_at,
                sum(sum(begun)) over (partition by symbol_id order by cut_at) as span_count
            from cuts
            group by symbol_id, cut_at
        ),

        reduced as materialized (
            select pieces.symbol_id, pieces.from_at, marks.*
            from pieces
            cross join lateral (
                select max(marks.price) as highest, min(marks.price) as lowest, max(marks.ts) as last_at
                from raw.marks
                where
                    marks.symbol_id = pieces.symbol_id
                    and marks.ts >= pieces.from_at and marks.ts < pieces.until_at
                    and marks.ts >= %1$L and marks.ts < %2$L
                    and (marks.price > 0) is true
            ) as marks
            where pieces.span_count > 0 and marks.highest is not null
        )

        select spans.span_number, max(reduced.highest), min(reduced.lowest), max(reduced.last_at)
        from spans
        inner join reduced
            on spans.symbol_id = reduced.symbol_id
            and spans.from_at <= reduced.from_at
            and spans.until_at > reduced.from_at
        group by spans.span_number
        $query$,
        (select min(from_at) from unnest(from_instants) as from_at),
        (select max(until_at) from unnest(until_instants) as until_at)
    ) using symbol_ids, from_instants, until_instants;
end
$$;
