-- Whether excursion's tables are here, and tables of somebody else where they would go.
select
    to_regclass('raw.schema_migrations') is not null as is_ours,
    exists (
        select from pg_class
        where
            relkind in ('r', 'p', 'v', 'm')
            and relnamespace in (
                to_regnamespace('raw'), to_regnamespace('analytics'),
                to_regnamespace('analytics_staging'), to_regnamespace('analytics_intermediate')
            )
    ) as has_tables;
