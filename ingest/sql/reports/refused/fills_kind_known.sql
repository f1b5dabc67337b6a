insert into raw.fills (event_id, kind, account_name, order_id, supersedes, symbol, side, qty, price, executed_at, source, received_at, payload)
values ('verify', 'guess', 'verify', 'verify', 'verify', 'VERIFY', 'buy', 1, 1, now(), 'verify', now(), '{}');
