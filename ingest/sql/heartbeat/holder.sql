-- Who holds an account's lock in this database, and whether for this very account:
-- the second lock tells, another account may have the same number in the first.
-- pid is null where nobody holds it.
select
    held.pid,
    session.backend_start,
    exists (
        select 1
        from pg_locks as second_lock
        where
            second_lock.pid = held.pid
            and second_lock.locktype = 'advisory'
            and second_lock.granted
            and second_lock.database = held.database
            and second_lock.classid = %(name_class)s::oid
            and second_lock.objid = %(name_number)s::oid
            and second_lock.objsubid = 2
    ) as is_same_account
from pg_locks as held
left join pg_stat_activity as session on held.pid = session.pid
where
    held.locktype = 'advisory'
    and held.granted
    and held.database = (
        select pg_database.oid from pg_database
        where pg_database.datname = current_database()
    )
    and held.classid = %(lock_class)s::oid
    and held.objid = %(lock_number)s::oid
    and held.objsubid = 2
