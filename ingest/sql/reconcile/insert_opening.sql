insert into raw.openings (
    account_name, symbol, qty, price, opened_at, price_source, reason
)
values (
    %(account)s, %(symbol)s, %(qty)s, %(price)s, %(opened_at)s, %(price_source)s, %(reason)s
)
on conflict (account_name, symbol) do nothing;
