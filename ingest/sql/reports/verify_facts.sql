-- What is stored, in numbers.
select
    (select count(*) from raw.fills) as fills,
    (select count(distinct account_name) from raw.fills) as accounts,
    (select coalesce(sum(greatest(reltuples, 0)), 0)::bigint from pg_class where oid in (select inhrelid from pg_inherits where inhparent = to_regclass('raw.marks'))) as marks,
    (select exists (select from raw.marks)) as has_marks,
    (select count(*) from raw.account_activities) as activities,
    (select count(*) from raw.dispatch_executions) as executions,
    (select count(*) from raw.quarantine) as quarantined,
    (select min(executed_at)::date from raw.fills) as first_day,
    (select max(executed_at)::date from raw.fills) as last_day;
