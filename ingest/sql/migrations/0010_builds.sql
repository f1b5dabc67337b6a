-- A build claims what has been noted, and takes it off when every model has seen it.

create function raw.claim_changes() returns void
language sql as $$
    update raw.changed_facts set is_claimed = true where not is_claimed;

    -- In the order in which the writer locks them, so that neither waits for the other.
    with taken as (
        delete from raw.changed_marks
        where (symbol_id, hour_at, is_claimed) in (
            select symbol_id, hour_at, is_claimed
            from raw.changed_marks
            where not is_claimed
            order by symbol_id, hour_at
            for update
        )
        returning symbol_id, hour_at
    )

    insert into raw.changed_marks (symbol_id, hour_at, is_claimed)
    select symbol_id, hour_at, true from taken
    on conflict do nothing;
$$;

create function raw.forget_claimed_changes() returns void
language sql as $$
    delete from raw.changed_facts where is_claimed;
    delete from raw.changed_marks where is_claimed;
$$;

-- The UTC days of which marks are stored, or will be.
create function raw.mark_days() returns setof date
language sql stable as $$
    select to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD')
    from pg_inherits
    where inhparent = 'raw.marks'::regclass
$$;

-- The rows of a query, for a query that has one for each day: parallel workers take the days
-- in turn, as each seems too dear to wait for.
create function raw.query_rows(query text) returns setof record
language plpgsql stable parallel safe cost 1000000 as $$
begin
    return query execute query;
end
$$;

-- Lookups of a build that derives a few positions again.
create index account_activities_symbol on raw.account_activities (account_name, symbol, activity_date) where symbol is not null;
create index dispatch_executions_recommendation on raw.dispatch_executions (lower(recommendation_id));
create index dispatch_executions_lower_order on raw.dispatch_executions (account_name, lower(alpaca_order_id));
create index dispatch_recommendations_lower_id on raw.dispatch_recommendations (lower(recommendation_id));
