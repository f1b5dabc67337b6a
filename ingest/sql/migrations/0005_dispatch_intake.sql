-- A decision that is completed later counts as arrived later, whoever completes it: a
-- model that reads what is new by ingested_at would pass it over otherwise.

create function raw.arrived_again() returns trigger
language plpgsql as $$
begin
    new.ingested_at := clock_timestamp();
    return new;
end
$$;
comment on function raw.arrived_again() is 'Of a changed row: it arrives when it changes.';

create trigger dispatch_recommendations_arrive_again
before update on raw.dispatch_recommendations
for each row when (old.* is distinct from new.*)
execute function raw.arrived_again();

create trigger dispatch_executions_arrive_again
before update on raw.dispatch_executions
for each row when (old.* is distinct from new.*)
execute function raw.arrived_again();

comment on table raw.dispatch_recommendations is 'One row per decision to enter a trade, with what was known at that moment. A bot may insert it and fill in later what is null: docs/dispatcher.md.';
comment on table raw.dispatch_executions is 'One row per order that the dispatcher sent. What is null may be filled in later, what was said stays: docs/dispatcher.md.';
