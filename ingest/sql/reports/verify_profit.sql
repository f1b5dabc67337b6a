-- P&L against prices and quantity, and net P&L against its parts. Prices are rounded to
-- nine decimals, which quantity and multiplier magnify.
with checked as (
    select
        id,
        abs(
            pnl_dollars
            - case side when 'long' then 1 else -1 end
            * (exit_price - entry_price) * quantity * multiplier
        ) > 0.00000001 + 0.000000001 * quantity * multiplier as is_wrong_pnl,
        abs(net_pnl_dollars - (pnl_dollars - fees_dollars + dividends_dollars)) > 0.00000001 as is_wrong_net,
        win_loss_label is distinct from sign(net_pnl_dollars)::integer as is_wrong_label,
        net_pnl_dollars
    from analytics.position_history
)

select
    count(*) as positions,
    count(*) filter (where is_wrong_pnl is not false) as wrong_pnl,
    count(*) filter (where is_wrong_net is not false) as wrong_net,
    count(*) filter (where is_wrong_label) as wrong_label,
    coalesce(sum(net_pnl_dollars), 0) as net_dollars,
    min(id::text) filter (where is_wrong_pnl is not false or is_wrong_net is not false or is_wrong_label) as example
from checked;
