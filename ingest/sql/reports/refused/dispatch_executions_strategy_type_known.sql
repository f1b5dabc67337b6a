insert into raw.dispatch_executions (execution_uuid, account_name, intent, strategy_type, created_at)
values (gen_random_uuid(), 'verify', 'entry', 'hunch', now());
