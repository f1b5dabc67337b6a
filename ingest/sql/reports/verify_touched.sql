-- Rows that this transaction inserted, updated or deleted in the raw schema, as the
-- server counts them, and those of earlier ones of the session that it has not yet
-- reported: only a difference within one transaction means something.
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint as touched
from pg_stat_xact_user_tables
where schemaname = 'raw';
