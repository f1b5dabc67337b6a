insert into raw.fills (event_id, kind, account_name, order_id, symbol, side, qty, price, executed_at, source, received_at, payload)
values ('verify', 'fill', 'verify', 'verify', 'VERIFY', 'buy', 0, 1, now(), 'verify', now(), '{}');
