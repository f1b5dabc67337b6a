-- One row: of how many UTC days marks were archived.
select count(distinct utc_day) as archived_days from raw.archived_marks
