-- One row per raw table: how many rows were ever written to it, by the server's own
-- counts, which cost nothing to read. Partitions count for their table.
select
    coalesce(parents.relname, tables.relname) as table_name,
    sum(tables.n_tup_ins + tables.n_tup_upd)::bigint as written_count,
    sum(tables.n_live_tup)::bigint as row_count
from pg_stat_user_tables as tables
left join pg_inherits on tables.relid = pg_inherits.inhrelid
left join pg_class as parents on pg_inherits.inhparent = parents.oid
where tables.schemaname = 'raw'
group by 1
