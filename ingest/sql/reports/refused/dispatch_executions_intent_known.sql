insert into raw.dispatch_executions (execution_uuid, account_name, intent, created_at)
values (gen_random_uuid(), 'verify', 'hope', now());
