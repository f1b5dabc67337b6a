insert into raw.instruments (symbol, asset_class, ticker, multiplier)
values ('VERIFY', 'tulip', 'VERIFY', 1);
