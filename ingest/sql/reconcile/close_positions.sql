-- What the broker no longer lists is flat.
update raw.broker_positions
set
    qty = 0,
    avg_entry_price = null,
    observed_at = %(observed_at)s,
    ingested_at = clock_timestamp()
where
    account_name = %(account)s
    and qty <> 0
    and observed_at < %(observed_at)s
    and not symbol = any(%(listed)s);
