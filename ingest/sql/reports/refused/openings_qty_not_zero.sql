insert into raw.openings (account_name, symbol, qty, price, opened_at, price_source, reason)
values ('verify', 'VERIFY', 0, 1, now(), 'broker', 'verify');
