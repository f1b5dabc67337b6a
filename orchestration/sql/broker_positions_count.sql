-- How many positions the broker was ever heard of, those that are flat now among them.
select count(*) as stated_count from raw.broker_positions
