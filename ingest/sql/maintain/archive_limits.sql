-- What keeps days of marks from being archived.
select
    (select count(*) from raw.changed_facts)
    + (select count(*) from raw.changed_marks where hour_at < %(before)s::date::timestamp at time zone 'UTC') as changes,
    to_regclass('analytics.active_positions') is not null as is_built,
    (
        select max(to_date(right(relname, 8), 'YYYYMMDD'))
        from pg_inherits inner join pg_class on inhrelid = pg_class.oid
        where inhparent = 'raw.marks'::regclass and relname ~ '^marks_\d{8}$' and pg_relation_size(pg_class.oid) > 0
    ) as newest_day;
