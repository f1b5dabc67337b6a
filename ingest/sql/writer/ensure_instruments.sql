-- Only the broker's word makes a symbol without a slash a crypto pair.
insert into raw.instruments as stored (
    symbol, asset_class, ticker, multiplier, option_type, strike_price, expiration_date
)
values %s
on conflict (symbol) do update set asset_class = 'crypto'
where excluded.asset_class = 'crypto' and stored.asset_class = 'us_equity';
