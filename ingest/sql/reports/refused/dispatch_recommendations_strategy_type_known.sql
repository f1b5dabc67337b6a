insert into raw.dispatch_recommendations (recommendation_id, strategy_type, created_at)
values ('verify', 'hunch', now());
