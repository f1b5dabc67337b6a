-- Rows that this transaction inserted, updated or deleted in the raw schema, as the
-- server counts them.
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint as touched
from pg_stat_xact_user_tables
where schemaname = 'raw';
