-- When the newest fact came that no finished build has seen; null where there is none.
select max(noted_at)::text as newest_at from raw.changed_facts
