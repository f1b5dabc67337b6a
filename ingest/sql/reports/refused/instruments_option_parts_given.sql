insert into raw.instruments (symbol, asset_class, ticker, multiplier)
values ('VERIFY', 'us_option', 'VERIFY', 100);
