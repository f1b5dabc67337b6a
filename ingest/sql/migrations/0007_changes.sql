-- What was written since the position models were last built. A change is noted in the
-- transaction of its fact, and taken off only by a build that has seen it: so a build
-- reads what is new by its arrival, and a transaction that commits late is not passed
-- over, as it would be by a time or a number of its rows.

create table raw.changed_facts (
    kind text not null,
    account_name text,
    reference text not null,
    is_claimed boolean not null default false,
    noted_at timestamptz not null default clock_timestamp()
);
comment on table raw.changed_facts is 'One row per fact written, changed or deleted that no finished build of the position models has seen. Marks have a table of their own.';
comment on column raw.changed_facts.kind is 'What reference names: fill and order an order_id, client_order a client_order_id, activity an activity_id, recommendation a recommendation_id, lane the symbol of an account, symbol one of all accounts.';
comment on column raw.changed_facts.is_claimed is 'Taken by a build that has not ended yet, or has failed: the next one takes it up again.';

create table raw.changed_marks (
    symbol_id integer not null,
    hour_at timestamptz not null,
    is_claimed boolean not null default false,
    primary key (symbol_id, hour_at, is_claimed)
);
comment on table raw.changed_marks is 'One row per symbol and UTC hour with marks that no finished build of the position models has seen. The writer locks the row where it is there already: a build that takes it waits for the marks.';

alter table raw.changed_facts set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
alter table raw.changed_marks set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Each function serves the triggers of one table, for rows written and for rows deleted,
-- which it reads as `changed`. Security definer: a bot may write its decisions without
-- any right on this table.

create function raw.note_changed_fills() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, account_name, reference)
    select distinct 'fill', account_name, order_id from changed;
    return null;
end
$$;

-- An alias can tell which execution a bust names.
create function raw.note_aliases() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, account_name, reference)
    select distinct 'fill', account_name, order_id from changed
    where fill_event_id <> event_id and order_id is not null;
    return null;
end
$$;

create function raw.note_changed_orders() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, account_name, reference)
    select 'order', account_name, order_id from changed;
    return null;
end
$$;

create function raw.note_changed_activities() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' then
        insert into raw.changed_facts (kind, account_name, reference)
        select distinct 'lane', account_name, symbol from changed where symbol is not null;
    else
        insert into raw.changed_facts (kind, account_name, reference)
        select distinct 'activity', account_name, activity_id from changed;
    end if;
    return null;
end
$$;

create function raw.note_changed_openings() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, account_name, reference)
    select 'lane', account_name, symbol from changed;
    return null;
end
$$;

create function raw.note_changed_instruments() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, reference)
    select 'symbol', symbol from changed;
    return null;
end
$$;

create function raw.note_changed_recommendations() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, account_name, reference)
    select 'recommendation', account_name, lower(recommendation_id) from changed;
    return null;
end
$$;

-- By either id under which the broker may know the order.
create function raw.note_changed_executions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changed_facts (kind, account_name, reference)
    select 'order', account_name, lower(alpaca_order_id) from changed
    where alpaca_order_id is not null
    union
    select 'client_order', account_name, client_order_id from changed
    where client_order_id is not null;
    return null;
end
$$;

create trigger note_insert after insert on raw.fills
referencing new table as changed for each statement execute function raw.note_changed_fills();
create trigger note_update after update on raw.fills
referencing new table as changed for each statement execute function raw.note_changed_fills();
create trigger note_delete after delete on raw.fills
referencing old table as changed for each statement execute function raw.note_changed_fills();

create trigger note_insert after insert on raw.alpaca_event_dedupe
referencing new table as changed for each statement execute function raw.note_aliases();
create trigger note_update after update on raw.alpaca_event_dedupe
referencing new table as changed for each statement execute function raw.note_aliases();
create trigger note_delete after delete on raw.alpaca_event_dedupe
referencing old table as changed for each statement execute function raw.note_aliases();

create trigger note_insert after insert on raw.orders
referencing new table as changed for each statement execute function raw.note_changed_orders();
create trigger note_update after update on raw.orders
referencing new table as changed for each statement execute function raw.note_changed_orders();
create trigger note_delete after delete on raw.orders
referencing old table as changed for each statement execute function raw.note_changed_orders();

create trigger note_insert after insert on raw.account_activities
referencing new table as changed for each statement execute function raw.note_changed_activities();
create trigger note_update after update on raw.account_activities
referencing new table as changed for each statement execute function raw.note_changed_activities();
create trigger note_delete after delete on raw.account_activities
referencing old table as changed for each statement execute function raw.note_changed_activities();

create trigger note_insert after insert on raw.openings
referencing new table as changed for each statement execute function raw.note_changed_openings();
create trigger note_update after update on raw.openings
referencing new table as changed for each statement execute function raw.note_changed_openings();
create trigger note_delete after delete on raw.openings
referencing old table as changed for each statement execute function raw.note_changed_openings();

-- A new symbol has no positions yet; a changed one may have many.
create trigger note_update after update on raw.instruments
referencing new table as changed for each statement execute function raw.note_changed_instruments();

create trigger note_insert after insert on raw.dispatch_recommendations
referencing new table as changed for each statement execute function raw.note_changed_recommendations();
create trigger note_update after update on raw.dispatch_recommendations
referencing new table as changed for each statement execute function raw.note_changed_recommendations();
create trigger note_delete after delete on raw.dispatch_recommendations
referencing old table as changed for each statement execute function raw.note_changed_recommendations();

create trigger note_insert after insert on raw.dispatch_executions
referencing new table as changed for each statement execute function raw.note_changed_executions();
create trigger note_update_before after update on raw.dispatch_executions
referencing old table as changed for each statement execute function raw.note_changed_executions();
create trigger note_update_after after update on raw.dispatch_executions
referencing new table as changed for each statement execute function raw.note_changed_executions();
create trigger note_delete after delete on raw.dispatch_executions
referencing old table as changed for each statement execute function raw.note_changed_executions();

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

-- Lookups of a build that derives a few positions again.
create index account_activities_symbol on raw.account_activities (account_name, symbol, activity_date) where symbol is not null;
create index dispatch_executions_recommendation on raw.dispatch_executions (lower(recommendation_id));
create index dispatch_executions_lower_order on raw.dispatch_executions (account_name, lower(alpaca_order_id));
create index dispatch_recommendations_lower_id on raw.dispatch_recommendations (lower(recommendation_id));
