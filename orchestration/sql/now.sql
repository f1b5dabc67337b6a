select now()::text as started_at
