-- Every CHECK constraint on a table of the raw schema; those of the partitions of
-- raw.marks are the parent's own.
select conname, convalidated
from pg_constraint
where contype = 'c' and connamespace = to_regnamespace('raw') and coninhcount = 0
order by conname;
