-- In a day of its own: without a partition the row would be refused for another reason.
create table raw.marks_verify (like raw.marks including defaults including constraints);
alter table raw.marks attach partition raw.marks_verify for values from ('1899-01-01T00:00Z') to ('1899-01-02T00:00Z');
insert into raw.marks (ts, price, symbol_id, is_usable)
values ('1899-01-01T12:00Z', 0, -1, true);
