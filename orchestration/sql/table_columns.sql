-- One row per column of a table or view, in its order: what is it called and of what type.
select
    attname::text as column_name,
    format_type(atttypid, atttypmod) as type_name
from pg_attribute
where attrelid = to_regclass(%(name)s) and attnum > 0 and not attisdropped
order by attnum
