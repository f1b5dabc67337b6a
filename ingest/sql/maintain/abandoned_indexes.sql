-- What a rebuild that was killed has left behind; the server never uses it.
select indexrelid::regclass::text
from pg_index
inner join pg_inherits on pg_index.indrelid = pg_inherits.inhrelid
inner join pg_class on pg_index.indexrelid = pg_class.oid
where
    pg_inherits.inhparent = 'raw.marks'::regclass
    and not pg_index.indisvalid
    and pg_class.relname ~ '_cc(new|old)\d*$';
