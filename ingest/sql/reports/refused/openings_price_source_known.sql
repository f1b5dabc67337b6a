insert into raw.openings (account_name, symbol, qty, price, opened_at, price_source, reason)
values ('verify', 'VERIFY', 1, 1, now(), 'guess', 'verify');
