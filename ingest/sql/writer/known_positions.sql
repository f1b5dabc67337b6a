select account_name, symbol, qty, avg_entry_price, observed_at
from raw.broker_positions
where symbol = any(%(symbols)s);
