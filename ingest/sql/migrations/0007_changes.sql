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

-- One function for the triggers of all tables: it reads the rows written, or deleted, as
-- `changed`. Security definer: a bot may write its decisions without any right on the
-- table of notes.
create function raw.note_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    case tg_table_name
        when 'fills' then
            insert into raw.changed_facts (kind, account_name, reference)
            select distinct 'fill', account_name, order_id from changed;
        when 'alpaca_event_dedupe' then
            -- An alias can tell which execution a bust names.
            insert into raw.changed_facts (kind, account_name, reference)
            select distinct 'fill', account_name, order_id from changed
            where fill_event_id <> event_id and order_id is not null;
        when 'orders' then
            insert into raw.changed_facts (kind, account_name, reference)
            select 'order', account_name, order_id from changed;
        when 'account_activities' then
            -- Of a deleted one only its lane can still be asked for.
            insert into raw.changed_facts (kind, account_name, reference)
            select distinct
                case tg_op when 'DELETE' then 'lane' else 'activity' end,
                account_name,
                case tg_op when 'DELETE' then symbol else activity_id end
            from changed
            where tg_op <> 'DELETE' or symbol is not null;
        when 'openings' then
            insert into raw.changed_facts (kind, account_name, reference)
            select 'lane', account_name, symbol from changed;
        when 'instruments' then
            insert into raw.changed_facts (kind, reference)
            select 'symbol', symbol from changed;
        when 'dispatch_recommendations' then
            insert into raw.changed_facts (kind, account_name, reference)
            select 'recommendation', account_name, lower(recommendation_id) from changed;
        when 'dispatch_executions' then
            -- By either id under which the broker may know the order.
            insert into raw.changed_facts (kind, account_name, reference)
            select 'order', account_name, lower(alpaca_order_id) from changed
            where alpaca_order_id is not null
            union
            select 'client_order', account_name, client_order_id from changed
            where client_order_id is not null;
    end case;
    return null;
end
$$;

create trigger note_insert after insert on raw.fills
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update after update on raw.fills
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.fills
referencing old table as changed for each statement execute function raw.note_changes();

create trigger note_insert after insert on raw.alpaca_event_dedupe
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update after update on raw.alpaca_event_dedupe
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.alpaca_event_dedupe
referencing old table as changed for each statement execute function raw.note_changes();

create trigger note_insert after insert on raw.orders
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update after update on raw.orders
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.orders
referencing old table as changed for each statement execute function raw.note_changes();

create trigger note_insert after insert on raw.account_activities
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update after update on raw.account_activities
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.account_activities
referencing old table as changed for each statement execute function raw.note_changes();

create trigger note_insert after insert on raw.openings
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update after update on raw.openings
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.openings
referencing old table as changed for each statement execute function raw.note_changes();

-- A new symbol has no positions yet; a changed one may have many.
create trigger note_update after update on raw.instruments
referencing new table as changed for each statement execute function raw.note_changes();

create trigger note_insert after insert on raw.dispatch_recommendations
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update after update on raw.dispatch_recommendations
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.dispatch_recommendations
referencing old table as changed for each statement execute function raw.note_changes();

create trigger note_insert after insert on raw.dispatch_executions
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_update_before after update on raw.dispatch_executions
referencing old table as changed for each statement execute function raw.note_changes();
create trigger note_update_after after update on raw.dispatch_executions
referencing new table as changed for each statement execute function raw.note_changes();
create trigger note_delete after delete on raw.dispatch_executions
referencing old table as changed for each statement execute function raw.note_changes();
