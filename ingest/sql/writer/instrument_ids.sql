select symbol, symbol_id from raw.instruments where symbol = any(%(symbols)s);
