-- The open positions, largest first.
select
    account_name,
    coalesce(option_symbol, ticker) as symbol,
    side,
    quantity,
    entry_price,
    last_mark_price,
    unrealized_pnl_dollars,
    unrealized_pnl_pct
from analytics.active_positions
order by quantity * entry_price * multiplier desc, id;
