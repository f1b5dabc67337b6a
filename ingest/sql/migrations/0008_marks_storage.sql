-- How the partitions of marks are made, kept and, if the user wants it, archived.

-- A partition does not inherit storage parameters. Marks are only ever added: vacuum
-- runs by what was inserted, 10,000 marks (1 MB) at a time whatever the size of the day,
-- so that index-only scans find nearly every page visible. It reads new pages only.
create function raw.set_marks_storage(marks_partition regclass) returns void
language plpgsql as $$
begin
    execute format(
        'alter table %s set ('
        '    fillfactor = 100,'
        '    autovacuum_vacuum_insert_threshold = 10000,'
        '    autovacuum_vacuum_insert_scale_factor = 0,'
        '    autovacuum_analyze_threshold = 10000,'
        '    autovacuum_analyze_scale_factor = 0.05'
        ')',
        marks_partition
    );
end
$$;

select raw.set_marks_storage(inhrelid::regclass)
from pg_inherits
where inhparent = 'raw.marks'::regclass;

-- Attached rather than created in place: that takes a lock which readers of marks do not
-- wait for. There is no default partition: it would have to be searched, locked against
-- readers, for each day that is added.
create function raw.add_marks_day(utc_day date) returns void
language plpgsql as $$
declare
    partition_name text := to_char(utc_day, '"raw.marks_"YYYYMMDD');
begin
    if to_regclass(partition_name) is null then
        execute format('create table %s (like raw.marks including defaults including constraints)', partition_name);
        perform raw.set_marks_storage(partition_name::regclass);
        execute format(
            'alter table raw.marks attach partition %s for values from (%L) to (%L)',
            partition_name,
            utc_day::timestamp at time zone 'UTC',
            (utc_day + 1)::timestamp at time zone 'UTC'
        );
    end if;
end
$$;
comment on function raw.add_marks_day(date) is 'The partition of a UTC day; nothing where it is there.';

create table raw.archived_marks (
    utc_day date not null,
    part integer not null,
    marks bigint not null,
    sha256 text not null,
    archived_at timestamptz not null default clock_timestamp(),
    primary key (utc_day, part)
);
comment on table raw.archived_marks is 'One row per file of marks that were archived and are no longer in raw.marks: what is derived from marks of these days cannot be derived again without them.';
comment on column raw.archived_marks.part is '1, and more where late marks of an archived day were archived in their turn.';
comment on column raw.archived_marks.sha256 is 'Of the compressed file: by it `excursion maintain --restore` knows the file again.';
