-- What is stored of each symbol from its first instant in a batch to its last: a range of
-- the index a symbol. `since` and `until` tell the planner which partitions to look at.
copy (
    select
        stored.ts, stored.price, coalesce(stored.bid, 'NaN') as bid,
        coalesce(stored.ask, 'NaN') as ask, stored.symbol_id
    from unnest(
        %(symbol_ids)s::integer [], %(firsts)s::timestamp [], %(lasts)s::timestamp []
    ) as sent (symbol_id, first_at, last_at)
    cross join lateral (
        select marks.ts, marks.price, marks.bid, marks.ask, marks.symbol_id
        from raw.marks
        where
            marks.symbol_id = sent.symbol_id
            and marks.ts >= sent.first_at at time zone 'UTC'
            and marks.ts <= sent.last_at at time zone 'UTC'
            and marks.ts >= %(since)s::timestamptz
            and marks.ts < %(until)s::timestamptz
    ) as stored
    limit %(most)s
) to stdout (format binary)
