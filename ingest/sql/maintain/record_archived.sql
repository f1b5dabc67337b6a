insert into raw.archived_marks (utc_day, part, marks, sha256)
values (%(utc_day)s, %(part)s, %(marks)s, %(sha256)s);
