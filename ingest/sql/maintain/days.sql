-- Each day that has marks, with what it takes and what it needs. A day is closed when a
-- later one has marks, or an hour after its end: marks may still come, but few.
with days as (
    select
        pg_class.oid,
        'raw.' || pg_class.relname as name,
        to_date(right(pg_class.relname, 8), 'YYYYMMDD') as utc_day,
        pg_relation_size(pg_class.oid) / current_setting('block_size')::integer as pages,
        pg_indexes_size(pg_class.oid) as index_bytes,
        pg_total_relation_size(pg_class.oid) as total_bytes,
        pg_class.reltuples, pg_class.relpages, pg_class.relallvisible, pg_class.relfrozenxid
    from pg_inherits
    inner join pg_class on pg_inherits.inhrelid = pg_class.oid
    where
        pg_inherits.inhparent = 'raw.marks'::regclass
        and pg_class.relname ~ '^marks_\d{8}$'
        and pg_relation_size(pg_class.oid) > 0
)

select
    name,
    utc_day,
    total_bytes,
    index_bytes,
    -- A page holds 120 quotes, or more trades, where nobody has counted them yet.
    case
        when reltuples > 0 and relpages > 0 then reltuples / relpages * pages else pages * 120.0
    end::bigint as marks,
    utc_day < (select max(utc_day) from days)
    or (utc_day + 1)::timestamp at time zone 'UTC' <= now() - interval '1 hour' as is_closed,
    -- The catalog tells what the last vacuum saw, the statistics what came since.
    -- Younger than 50 million transactions: long before the server freezes it by force.
    reltuples >= 0
    and relallvisible >= pages
    and pg_stat_get_ins_since_vacuum(oid) = 0
    and age(relfrozenxid) < 50000000 as is_vacuumed
from days
order by utc_day;
