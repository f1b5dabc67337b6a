insert into raw.broker_positions as stored (
    account_name, symbol, qty, avg_entry_price, observed_at
)
select account_name, symbol, qty, avg_entry_price, observed_at
from json_to_recordset(%(rows)s) as stage (
    account_name text, symbol text, qty numeric, avg_entry_price numeric,
    observed_at timestamptz
)
on conflict (account_name, symbol) do update
set
    qty = excluded.qty,
    avg_entry_price = excluded.avg_entry_price,
    observed_at = excluded.observed_at,
    ingested_at = clock_timestamp()
where excluded.observed_at > stored.observed_at;
